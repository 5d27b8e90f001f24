#pragma once

#include <cstddef>

#include <softscore/core/config.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// What an observer of the search receives after every chunk of pairs and after every path.
struct search_progress {
  std::size_t pairs{};      ///< transports computed
  std::size_t width{};      ///< the largest difference of index among the pairs evaluated
  std::size_t candidate{};  ///< where the search is
  std::size_t candidates{};
  double longest{};     ///< E
  std::size_t nodes{};  ///< of the last path; 0 before the first path
  double seconds{};
  bool finished{};  ///< true once, at the end
};

}  // namespace softscore::inline SOFTSCORE_ABI
