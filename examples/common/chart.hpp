#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace common {

/// An inline SVG of the training loss (every step, thinned out, and its moving average) and the test loss (every
/// epoch) over the steps, with a logarithmic axis. Colors are those of the page's style sheet.
std::string loss_chart(std::span<const float> losses, std::span<const double> test_losses, std::size_t steps_per_epoch);

/// An inline SVG of a few positive numbers on one logarithmic line, each with its name and value.
std::string number_line(const std::vector<std::pair<std::string, double>>& numbers);

/// A number with three or four digits, for people.
std::string short_number(double value);

}  // namespace common
