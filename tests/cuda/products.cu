// Products of matrices through cuBLAS. Anywhere: the factors are described to it rightly. On a device: float32 and TF32
// agree with our own kernel to their roundings, and a product has the same bits when it comes again, as a graph too.
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdio>
#include <vector>

#include <softscore/backend/cuda/backend.cuh>
#include <softscore/backend/cuda/gemm.hpp>

using namespace softscore;

namespace {

// Element (i, j) of op(X), as cuBLAS defines it: X is stored by columns.
std::complex<float> turned(const std::vector<std::complex<float>>& x, const detail::cublas_factor& how, std::size_t i,
                           std::size_t j) {
  const auto leading = static_cast<std::size_t>(how.leading);
  if (how.turn == CUBLAS_OP_N) return x[i + j * leading];
  const auto value = x[j + i * leading];
  return how.turn == CUBLAS_OP_C ? std::conj(value) : value;
}

// Whether a factor of rows x columns at these strides is, as cuBLAS reads it, the transposed one.
bool described(std::size_t row, std::size_t column, std::size_t rows, std::size_t columns, bool conjugated,
               bool possible) {
  const auto how = detail::as_cublas_factor(row, column, rows, columns, conjugated);
  if (how.has_value() != possible) return false;
  if (!how) return true;
  std::vector<std::complex<float>> x(rows * row + columns * column);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = {static_cast<float>(i), static_cast<float>(i + 1)};
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      const auto value = x[i * row + j * column];
      if (turned(x, *how, j, i) != (conjugated ? std::conj(value) : value)) return false;
    }
  return true;
}

bool all_described() {
  // Rows or columns side by side, with gaps too; a row or a column alone; and what cuBLAS cannot read.
  return described(5, 1, 3, 5, false, true) && described(7, 1, 3, 5, false, true) &&
         described(1, 3, 3, 5, false, true) && described(1, 4, 3, 5, false, true) &&
         described(1, 3, 3, 5, true, true) && described(5, 1, 3, 5, true, false) &&
         described(1, 1, 1, 5, false, true) && described(1, 1, 5, 1, false, true) &&
         described(10, 2, 3, 5, false, false) && described(1, 2, 3, 5, false, false);
}

constexpr std::size_t m = 150, n = 130, k = 140, batch = 2;

// c = a b^T + bias, times `repeats` with the same memory: the bits of the last, which must be those of all.
std::vector<float> product(cuda_backend& be, std::size_t repeats, bool& same) {
  std::vector<float> host_a(batch * m * k), host_b(batch * n * k), host_bias(n);
  for (std::size_t i = 0; i < host_a.size(); ++i) host_a[i] = std::sin(static_cast<float>(i));
  for (std::size_t i = 0; i < host_b.size(); ++i) host_b[i] = std::cos(static_cast<float>(3 * i));
  for (std::size_t i = 0; i < n; ++i) host_bias[i] = static_cast<float>(i);
  auto a = be.make<float>({batch, 1, m, k}), b = be.make<float>({batch, 1, n, k}), bias = be.make<float>({1, 1, 1, n}),
       c = be.make<float>({batch, 1, m, n});
  be.upload(host_a.data(), a.view());
  be.upload(host_b.data(), b.view());
  be.upload(host_bias.data(), bias.view());
  std::vector<float> first(c.view().size()), last(first.size());
  for (std::size_t i = 0; i < repeats; ++i) {
    be.flush();
    for (int times = 0; times < 3; ++times)
      detail::multiply<device_backend<cuda_device>, float>(be, {raw(a.view()), k, 1, m * k},
                                                           {raw(b.view()), 1, k, n * k}, {raw(c.view()), n, 1, m * n},
                                                           raw(bias.view()), m, n, k, batch);
    be.download(c.view(), last.data());
    if (i == 0) first = last;
    same = same && first == last;
  }
  return last;
}

bool all_multiplied() {
  cuda_backend float32{}, tf32{{.math = cuda_math::tf32}};
  bool same = true;
  const auto exact = [](std::size_t at) {
    const std::size_t of = at / (m * n), i = at / n % m, j = at % n;
    double sum = static_cast<double>(j);
    for (std::size_t l = 0; l < k; ++l)
      sum += static_cast<double>(std::sin(static_cast<float>((of * m + i) * k + l))) *
             static_cast<double>(std::cos(static_cast<float>(3 * ((of * n + j) * k + l))));
    return sum;
  };
  const auto worst = [&](const std::vector<float>& values) {
    double most = 0;
    for (std::size_t i = 0; i < values.size(); i += 7)
      most = std::max(most, std::abs(static_cast<double>(values[i]) - exact(i)));
    return most;
  };
  // k terms of at most 1, to which up to n is added: sums of at most k + n, rounded k + 1 times by 2^-24; TF32 keeps
  // 10 bits behind the first of either factor, which are off by at most 2^-10 of it even where the rest is cut off.
  const double sums = (k + 1.0) * (k + n) * std::exp2(-24), factors = 2.0 * k * std::exp2(-10);
  const double of_float32 = worst(product(float32, 5, same)), of_tf32 = worst(product(tf32, 5, same));
  const bool replayed = float32.replays() > 0 && tf32.replays() > 0;
  std::printf("float32 %.2e (at most %.2e), TF32 %.2e (at most %.2e), bits %s, graphs %s\n", of_float32, sums, of_tf32,
              sums + factors, same ? "the same" : "DIFFER", replayed ? "replayed" : "NOT REPLAYED");
  return of_float32 <= sums && of_tf32 <= sums + factors && same && replayed;
}

}  // namespace

int main() {
  if (!all_described()) {
    std::printf("a factor is described wrongly to cuBLAS\n");
    return 1;
  }
  try {
    const cuda_device probe{0};
  } catch (const error& reason) {
    std::printf("skipped: no device (%s)\n", reason.what());
    return 77;
  }
  try {
    return all_multiplied() ? 0 : 1;
  } catch (const error& problem) {
    std::fprintf(stderr, "%s\n", problem.what());
    return 2;
  }
}
