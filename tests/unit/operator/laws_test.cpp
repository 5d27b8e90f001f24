// `check_laws` on every family of the library, on every backend, and on families that break each law.
#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <sstream>
#include <string>
#include <vector>

#include <softscore/backend/serial/backend.hpp>
#include <softscore/operator/centered_mask.hpp>
#include <softscore/operator/check_laws.hpp>
#include <softscore/operator/diagonal.hpp>
#include <softscore/operator/eraser.hpp>
#include <softscore/operator/fade.hpp>
#include <softscore/operator/gathered.hpp>
#include <softscore/operator/gaussian_blur.hpp>
#include <softscore/operator/identity.hpp>
#include <softscore/operator/scaling.hpp>

#include "obeys.hpp"
#include "refusal.hpp"

using namespace softscore;

// Families that break one law each.
namespace broken {
struct remembers_nothing {};  // level 0 halves the image
struct squares {};            // not linear
struct forgets_to_turn {};    // the adjoint shifts the same way
struct last_for_all {};       // uses the last image's level
struct amplifies {
  static constexpr bool never_amplifies = true;
};
struct wrong_gain {
  double gain(level w) const { return 1.0 - w.value; }
};
struct wrong_gain_slope {
  double gain(level w) const { return 1.0 - w.value; }
  double gain_derivative(level) const { return 1.0; }
};
struct wrong_slope {};
struct wrong_sum {
  level compose(level a, level b) const { return level{a.value + b.value}; }
};
struct wrong_values {
  diagonal_svd svd(level, const shape& image) const {
    return diagonal_svd{std::vector<double>(image.per_image(), 1.0)};
  }
};
}  // namespace broken

#define SOFTSCORE_BROKEN(family, rule)                                                                          \
  template <>                                                                                                   \
  struct softscore::degradation<broken::family> : softscore::diagonal<softscore::degradation<broken::family>> { \
    static double entry(const broken::family&, level w, const shape&, pixel) { return rule; }
SOFTSCORE_BROKEN(remembers_nothing, 0.5 - 0.1 * w.value)
}
;
SOFTSCORE_BROKEN(amplifies, 1.0 + w.value)
}
;
SOFTSCORE_BROKEN(wrong_gain, std::exp(-w.value))
static double gain(const broken::wrong_gain& op, level w) { return op.gain(w); }
}
;
SOFTSCORE_BROKEN(wrong_gain_slope, 1.0 - w.value)
static double entry_derivative(const broken::wrong_gain_slope&, level, const shape&, pixel) { return -1.0; }
static double gain(const broken::wrong_gain_slope& op, level w) { return op.gain(w); }
static double gain_derivative(const broken::wrong_gain_slope& op, level w) { return op.gain_derivative(w); }
}
;
SOFTSCORE_BROKEN(wrong_slope, 1.0 - w.value * w.value)
static double entry_derivative(const broken::wrong_slope&, level w, const shape&, pixel) { return -w.value; }
}
;
SOFTSCORE_BROKEN(wrong_sum, 1.0 - 0.5 * w.value)
static level compose(const broken::wrong_sum& op, level a, level b) { return op.compose(a, b); }
}
;
SOFTSCORE_BROKEN(wrong_values, 1.0 - 0.5 * w.value)
static diagonal_svd svd(const broken::wrong_values& op, level w, const shape& image) { return op.svd(w, image); }
}
;
#undef SOFTSCORE_BROKEN

template <>
struct softscore::degradation<broken::squares> : softscore::gathered<softscore::degradation<broken::squares>> {
  template <class T>
  static T apply_pixel(const broken::squares&, level w, const shape& s, pixel p, const T* image) {
    const T own = image[p.offset(s)];
    return own + static_cast<T>(w.value) * own * own;
  }
  template <class T>
  static T adjoint_pixel(const broken::squares& op, level w, const shape& s, pixel p, const T* image) {
    return apply_pixel(op, w, s, p, image);
  }
};
template <>
struct softscore::degradation<broken::forgets_to_turn>
    : softscore::gathered<softscore::degradation<broken::forgets_to_turn>> {
  template <class T>
  static T apply_pixel(const broken::forgets_to_turn&, level w, const shape& s, pixel p, const T* image) {
    const T left = p.column == 0 ? T{} : image[p.offset(s) - 1];
    return image[p.offset(s)] + static_cast<T>(w.value) * left;
  }
  template <class T>
  static T adjoint_pixel(const broken::forgets_to_turn& op, level w, const shape& s, pixel p, const T* image) {
    return apply_pixel(op, w, s, p, image);
  }
};
template <>
struct softscore::degradation<broken::last_for_all> {
  template <class Be, Scalar T>
  static void apply(const broken::last_for_all&, Be& be, per_image<level> levels, in_of<Be, T> in, out_of<Be, T> out) {
    be.combine(out, term_of<Be, T>{1.0 - 0.5 * levels[in.extent().images - 1].value, in});
  }
  template <class Be, Scalar T>
  static void adjoint(const broken::last_for_all& op, Be& be, per_image<level> levels, in_of<Be, T> in,
                      out_of<Be, T> out) {
    apply<Be, T>(op, be, levels, in, out);
  }
};

namespace {

bool has(const law_report& report, const std::string& law) {
  return std::any_of(report.findings.begin(), report.findings.end(),
                     [&](const law_finding& f) { return f.law.find(law) != std::string::npos; });
}

}  // namespace

TEST_CASE("noise alone, blurs and masks obey the laws", "[operator]") {
  obeys(identity{}, {.level_max = 3.0});
  obeys(scaling{}, {.level_max = 2.0});
  obeys(fade{}, {});
  obeys(centered_mask{}, {.level_max = 9.0});
  obeys(eraser{7, 9, 30}, {.level_max = 30.0, .extents = {{5, 3, 7, 9}}});
  obeys(gaussian_blur{.half_width = 5}, {.level_max = 4.0});
  obeys(gaussian_blur{}, {.level_max = 14.0});
}

TEST_CASE("the report has a finding for each thing that an operator offers", "[operator]") {
  const auto of_scaling = check_laws(scaling{});
  for (const char* law : {"level 0", "aCx", "C'y", "a level per image", "|C| <= 1", "gain", "compose", "dC/dw"})
    CHECK(has(of_scaling, law));
  const auto of_blur = check_laws(gaussian_blur{3});
  CHECK(has(of_blur, "dC/dw"));
  CHECK(!has(of_blur, "gain"));
  CHECK(!has(of_blur, "compose"));
  CHECK(!has(check_laws(centered_mask{}), "dC/dw"));
  // exp(-w) is largest at w = 0.
  CHECK_THAT(of_scaling.norm, Catch::Matchers::WithinAbs(1.0, 1e-15));
  CHECK_REFUSED(check_laws(fade{}, {.level_max = 0.0}), "level_max is 0, but it must be above 0 and finite");
  CHECK_REFUSED(check_laws(fade{}, {.extents = {}}), "number of extents is 0, but it must be at least 1");
}

TEST_CASE("each broken law is found, and no other", "[operator]") {
  const auto blames = [](const law_report& report, const std::string& law, const std::string& too = "nothing else") {
    CAPTURE(report, law);
    CHECK(!report.holds());
    for (const law_finding& f : report.findings)
      CHECK(f.holds() == (f.law.find(law) == std::string::npos && f.law.find(too) == std::string::npos));
    std::ostringstream printed;
    printed << report;
    CHECK_THAT(printed.str(), Catch::Matchers::ContainsSubstring("BROKEN " + law));
  };
  blames(check_laws(broken::remembers_nothing{}), "level 0 is the identity");
  blames(check_laws(broken::squares{}), "C(ax + by) = aCx + bCy", "C'y");  // what is not linear has no transpose
  blames(check_laws(broken::forgets_to_turn{}), "<Cx, y> = <x, C'y>");
  blames(check_laws(broken::last_for_all{}), "a level per image");
  blames(check_laws(broken::amplifies{}), "|C| <= 1");
  blames(check_laws(broken::wrong_gain{}), "Cx = gain x");
  blames(check_laws(broken::wrong_gain_slope{}), "dC/dw x = gain' x");
  blames(check_laws(broken::wrong_slope{}), "dC/dw");
  blames(check_laws(broken::wrong_sum{}), "C_b C_a");
  blames(check_laws(broken::wrong_values{}), "C = U S V'");
}
