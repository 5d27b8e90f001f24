// The FID's network (Szegedy et al. 2016): its sizes, the folding of batch norms (Ioffe and Szegedy 2015), and files
// that are refused. golden/golden_inception.cpp compares its results with PyTorch.
#include <softscore/nn/inception/weights.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <softscore/io/safetensors.hpp>
#include <softscore/nn/inception_v3.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using namespace softscore;

TEST_CASE("Inception has the layers of pytorch-fid's", "[nn]") {
  const inception_v3 net{{1, 1, 28, 28}};
  // 94 convolutions with a bias and a dense layer: torchvision's 21,785,568 without the last layer, less one of the two
  // vectors of each norm that is trained, 17,216 numbers, and 2049 * 1008.
  CHECK(net.layout().arrays() == 2 * 95);
  CHECK(net.parameter_count() == 21'785'568 - 17'216 + 2049 * 1008);
  CHECK(net.output({3, 1, 28, 28}) == shape{3, 1008, 1, 1});
  CHECK(net.layout().at("Conv2d_1a_3x3.conv.weight").sizes == std::vector<std::size_t>{32, 3, 3, 3});
  CHECK(net.layout().at("Mixed_6c.branch7x7dbl_4.conv.weight").sizes == std::vector<std::size_t>{160, 160, 7, 1});
  CHECK(net.layout().at("Mixed_7b.branch3x3dbl_3a.conv.weight").sizes == std::vector<std::size_t>{384, 384, 1, 3});
  CHECK(net.layout().at("Mixed_7c.branch_pool.conv.weight").sizes == std::vector<std::size_t>{192, 2048, 1, 1});
  CHECK_REFUSED((inception_v3{{1, 2, 28, 28}}),
                "the number of channels of an image that Inception sees is 2, but it must be 1 or 3");
}

TEST_CASE("a batch norm is folded into the convolution before it", "[nn]") {
  // Two channels of three weights, in numbers that are not rounded.
  std::vector<float> weight{1, 2, 3, 4, 5, 6}, bias(2);
  const std::vector<float> gain{3, -1}, shift{0.5f, 2}, mean{4, 0.25f}, variance{3, 0}, negative{3, -2}, three(3);
  fold_batch_norm(weight, gain, shift, mean, variance, 1.0, bias);
  CHECK(weight == std::vector<float>{1.5f, 3, 4.5f, -4, -5, -6});
  CHECK(bias == std::vector<float>{0.5f - 6, 2.25f});
  CHECK_REFUSED(fold_batch_norm(weight, gain, shift, mean, negative, 1.0, bias),
                "a variance of a batch norm is -2, but it must be greater than minus its eps");
  CHECK_REFUSED(fold_batch_norm(weight, gain, three, mean, variance, 1.0, bias),
                "the length of an array of a batch norm is 3, but it must be that of the others, 2");
}

TEST_CASE("what is not pytorch-fid's Inception is refused with its file", "[nn]") {
  const temporary_folder folder;
  const auto path = folder / "inception.safetensors";
  const std::vector<float> one{1};
  const auto written = [&](const std::vector<std::string>& names) {
    std::vector<named_tensor> tensors;
    for (const std::string& name : names) tensors.emplace_back(name, std::vector<std::size_t>{1}, one);
    write_safetensors(path, {tensors.data(), tensors.size()});
    return path;
  };
  std::vector<std::string> names;
  for (const parameter& p : detail::inception_file_layout(inception_v3{}.layout())) names.push_back(p.name);
  CHECK(names.size() == 94 * 5 + 2);

  const std::string start = path.string() + ": the weights are ";
  CHECK_REFUSED(read_inception_v3(written({"Conv2d_1a_3x3.conv.weight", "AuxLogits.fc.weight"})),
                start + "without Conv2d_1a_3x3.bn.weight, Conv2d_1a_3x3.bn.bias, Conv2d_1a_3x3.bn.running_mean");
  CHECK_REFUSED(read_inception_v3(path),
                "; with the unknown AuxLogits.fc.weight; with other shapes, "
                "Conv2d_1a_3x3.conv.weight [1] for [32, 3, 3, 3]: 8 bytes in memory");
  CHECK_REFUSED(read_inception_v3(path), ", but they must be those of pytorch-fid's Inception");
  names.push_back("Conv2d_1a_3x3.bn.num_batches_tracked");
  const std::string shapes = refusal([&] { read_inception_v3(written(names)); });
  CHECK_THAT(shapes, Catch::Matchers::StartsWith(start + "with other shapes, Conv2d_1a_3x3.conv.weight [1]"));
  CHECK(shapes.find("num_batches_tracked") == std::string::npos);
  // A file of torch.save is a zip archive.
  CHECK_REFUSED(
      read_inception_v3(folder.put("inception.pth", std::string{"PK\3\4\0\0\10\10", 8} + std::string(92, 'x'))),
      "inception.pth: the format is a zip archive, as torch.save writes one, but it must be safetensors");
  CHECK(has_inception_v3(safetensors_file{path}));
}
