// Checks the laws on an operator, and on the same operator with a mistake, which the report names.
#include <iostream>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/operator/check_laws.hpp>
#include <softscore/operator/gathered.hpp>

// begin operator
// Every row sinks into the one below it: out(y) = (1 - w) in(y) + w in(y - 1), with zeros above the image.
struct rain {};

template <>
struct softscore::degradation<rain> : softscore::gathered<softscore::degradation<rain>> {
  template <class T>
  SOFTSCORE_HD static T apply_pixel(const rain&, level w, const shape& s, pixel p, const T* image) {
    const T above = p.row > 0 ? image[p.offset(s) - s.width] : T{0};
    return image[p.offset(s)] + static_cast<T>(w.value) * (above - image[p.offset(s)]);
  }
  template <class T>
  SOFTSCORE_HD static T adjoint_pixel(const rain&, level w, const shape& s, pixel p, const T* image) {
    const T below = p.row + 1 < s.height ? image[p.offset(s) + s.width] : T{0};
    return image[p.offset(s)] + static_cast<T>(w.value) * (below - image[p.offset(s)]);
  }
  template <class T>
  SOFTSCORE_HD static T derivative_pixel(const rain&, level, const shape& s, pixel p, const T* image) {
    const T above = p.row > 0 ? image[p.offset(s) - s.width] : T{0};
    return above - image[p.offset(s)];
  }
};
// end operator

// The same, but its adjoint wrongly reads the row above.
struct backwards : rain {};

template <>
struct softscore::degradation<backwards> : softscore::gathered<softscore::degradation<backwards>> {
  template <class T>
  SOFTSCORE_HD static T apply_pixel(const backwards& op, level w, const shape& s, pixel p, const T* image) {
    return degradation<rain>::apply_pixel(op, w, s, p, image);
  }
  template <class T>
  SOFTSCORE_HD static T adjoint_pixel(const backwards& op, level w, const shape& s, pixel p, const T* image) {
    return degradation<rain>::apply_pixel(op, w, s, p, image);
  }
};

int main() {
  // begin check
  const softscore::law_report report = softscore::check_laws(rain{}, {.level_max = 1.0});
  std::cout << report;
  if (!report.holds()) return 1;
  // end check
  // begin elsewhere
  softscore::serial_backend backend;  // or the backend that you will use
  const bool in_float = softscore::check_laws<float>(rain{}, backend, {.extents = {{8, 1, 28, 28}}}).holds();
  // end elsewhere
  const softscore::law_report blamed = softscore::check_laws(backwards{});
  std::cout << '\n' << blamed;
  int broken = 0;
  for (const softscore::law_finding& finding : blamed.findings)
    if (!finding.holds()) ++broken;
  return in_float && broken == 1 ? 0 : 1;
}
