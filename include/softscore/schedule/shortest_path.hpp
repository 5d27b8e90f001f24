#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Distances between nodes 0 < 1 < ... < n - 1 that are expensive and evaluated only on demand: for each node the
/// distances to the next few nodes, a band. `Row` is called as row(k, first, count, out) and writes d(k, first), ...,
/// d(k, first + count - 1) to `out`.
template <class Row>
class distance_band {
 public:
  /// Evaluates `chunk` distances at once. The search of a row stops at the first distance above `slack` times the one
  /// asked for. A slack of 1 is right if distances grow with the index, and infinity is always right. `from` throws
  /// `error` for a distance that is not a number; infinity means that there is no edge.
  distance_band(std::size_t nodes, Row row, std::size_t chunk = 8, double slack = 1.1)
      : row_{std::move(row)}, known_(nodes), chunk_{chunk}, slack_{slack} {
    require(nodes >= 2, "number of nodes", nodes, "at least 2");
    require(chunk >= 1, "chunk", chunk, "at least 1");
    require(slack >= 1.0, "slack", slack, "at least 1");
  }

  std::size_t nodes() const { return known_.size(); }
  /// Returns the known distances from node k to k + 1, k + 2, ...; all those up to `longest` are among them.
  const std::vector<double>& from(std::size_t k, double longest) {
    auto& known = known_[k];
    std::size_t searched = 0;
    const double limit = slack_ * longest;
    for (;;) {
      for (; searched < known.size(); ++searched)
        if (known[searched] > limit) return known;
      const std::size_t first = k + 1 + known.size(), count = (std::min)(chunk_, nodes() - first);
      if (first >= nodes() || count == 0) return known;
      known.resize(known.size() + count);
      row_(k, first, count, known.data() + (first - k - 1));
      for (std::size_t j = first; j < first + count; ++j)
        if (std::isnan(known[j - k - 1]))
          reject("the distance from node " + detail::shown(k) + " to node " + detail::shown(j), known[j - k - 1],
                 "a number");
      pairs_ += count;
      width_ = (std::max)(width_, known.size());
    }
  }

  /// How many distances were evaluated.
  std::size_t pairs() const { return pairs_; }
  /// The largest difference of index among the evaluated distances.
  std::size_t width() const { return width_; }

 private:
  Row row_;
  std::vector<std::vector<double>> known_;
  std::size_t chunk_;
  double slack_;
  std::size_t pairs_{}, width_{};
};

/// The nodes of a path from first to last, and the sum of its distances; empty if there is no path.
struct node_path {
  std::vector<std::size_t> nodes;
  double length{};
};

namespace detail {

struct way_to_last {
  double cost{std::numeric_limits<double>::infinity()};
  std::size_t edges{}, next{};
};

// The nodes that rising paths of edges up to `longest` reach from the first. It evaluates the rows of no other nodes.
template <class Row>
std::vector<bool> reached_nodes(distance_band<Row>& distances, double longest) {
  std::vector<bool> reached(distances.nodes(), false);
  reached[0] = true;
  for (std::size_t k = 0; k + 1 < distances.nodes(); ++k) {
    if (!reached[k]) continue;
    const auto& row = distances.from(k, longest);
    for (std::size_t j = 0; j < row.size(); ++j)
      if (row[j] <= longest) reached[k + 1 + j] = true;
  }
  return reached;
}

}  // namespace detail

/// Returns the shortest rising path from the first to the last node whose edges are at most `longest` (Daras et al.
/// 2022, Appendix C). Among paths of equal length, to within a part in 1e9, it takes one with the fewest edges, and
/// among those the one whose next node is the lowest at every step. The result is empty if there is no path.
template <class Row>
node_path shortest_path(distance_band<Row>& distances, double longest) {
  const std::size_t last = distances.nodes() - 1;
  const double infinite = std::numeric_limits<double>::infinity();
  const auto reached = detail::reached_nodes(distances, longest);
  node_path path;
  if (!reached[last]) return path;

  std::vector<detail::way_to_last> to_last(last + 1);
  to_last[last].cost = 0.0;
  for (std::size_t k = last; k-- > 0;) {
    if (!reached[k]) continue;
    const auto& row = distances.from(k, longest);
    double least = infinite;
    const auto through = [&](std::size_t j) { return row[j] <= longest ? row[j] + to_last[k + 1 + j].cost : infinite; };
    for (std::size_t j = 0; j < row.size(); ++j) least = (std::min)(least, through(j));
    if (least == infinite) continue;
    for (std::size_t j = 0; j < row.size(); ++j) {
      const std::size_t edges = to_last[k + 1 + j].edges + 1;
      if (through(j) <= least * (1.0 + 1e-9) && (to_last[k].cost == infinite || edges < to_last[k].edges))
        to_last[k] = {through(j), edges, k + 1 + j};
    }
  }
  path.nodes.push_back(0);
  while (path.nodes.back() != last) path.nodes.push_back(to_last[path.nodes.back()].next);
  path.length = to_last[0].cost;
  return path;
}

/// Returns the rising path from the first to the last node that has `nodes` nodes (fewer if there are not as many),
/// edges above 0 and at most `longest`, and the least sum of squares: its steps are as equal as the nodes allow. The
/// result is empty if every path has more nodes, or if there is no path. Throws `error` for fewer than 2 nodes.
template <class Row>
node_path even_path(distance_band<Row>& distances, double longest, std::size_t nodes) {
  require(nodes >= 2, "number of nodes of the path", nodes, "at least 2");
  const std::size_t last = distances.nodes() - 1;
  const double infinite = std::numeric_limits<double>::infinity();
  const auto reached = detail::reached_nodes(distances, longest);
  // The best path from each node, for each number of edges.
  std::vector<std::vector<detail::way_to_last>> to_last(last + 1, std::vector<detail::way_to_last>(nodes));
  to_last[last][0].cost = 0.0;
  for (std::size_t k = last; k-- > 0;) {
    if (!reached[k]) continue;
    const auto& row = distances.from(k, longest);
    for (std::size_t j = 0; j < row.size(); ++j) {
      if (!(row[j] > 0.0 && row[j] <= longest)) continue;
      for (std::size_t edges = 1; edges < nodes; ++edges) {
        const double through = row[j] * row[j] + to_last[k + 1 + j][edges - 1].cost;
        if (through < to_last[k][edges].cost) to_last[k][edges] = {through, edges, k + 1 + j};
      }
    }
  }
  node_path path;
  std::size_t edges = nodes - 1;
  while (edges > 0 && to_last[0][edges].cost == infinite) --edges;
  if (edges == 0) return path;
  path.nodes.push_back(0);
  for (; edges > 0; --edges) {
    const std::size_t from = path.nodes.back(), to = to_last[from][edges].next;
    path.length += distances.from(from, longest)[to - from - 1];
    path.nodes.push_back(to);
  }
  return path;
}

/// What `path_of_nodes` found: the path, the largest edge E that was allowed, and the largest E that was tried and gave
/// no path (with `even_path`, no path of so few nodes), or 0 if every E gave one. Longer edges than the latter cannot
/// be avoided.
struct tuned_path {
  node_path path;
  double longest{}, blocked{};
};

/// Finds the smallest bound E on the edges for which the path find(distances, E), made by `shortest_path` or
/// `even_path`, has `nodes` nodes, ends included (Daras et al. 2022, Appendix C). The number of nodes is not monotone
/// in E, so E is scanned upwards in steps of one percent, from the least value that so many edges could have. Where the
/// number jumps over `nodes`, the last interval is scanned again in finer steps, and then the nearest number is taken.
/// `direct` is the distance of the ends; the scan ends at the first path with E above it. `watch(E, path)` sees every
/// path. Throws `error` unless 2 <= nodes <= the number of nodes.
template <class Row, class Find, class Watch>
tuned_path path_of_nodes(distance_band<Row>& distances, std::size_t nodes, double direct, const Find& find,
                         const Watch& watch) {
  require(nodes >= 2 && nodes <= distances.nodes(), "number of nodes of the path", nodes,
          "at least 2 and at most the number of candidates");
  require(direct > 0.0 && std::isfinite(direct), "distance of the ends", direct, "above 0 and finite");
  const auto wanted = static_cast<double>(nodes);
  tuned_path nearest;
  double blocked = 0.0, nearest_miss = std::numeric_limits<double>::infinity(), step = 1.01;
  // Where small steps cost less than the distance they cover, so many edges may be shorter than their share of the
  // direct distance.
  double steps = 0.0;
  for (std::size_t k = 0; k + 1 < distances.nodes() && steps < direct; ++k) steps += distances.from(k, 0.0).front();
  double at = (std::max)((std::min)(steps, direct), 1e-3 * direct) / (wanted - 1.0), before = at / step;
  for (int refinements = 0; refinements < 3;) {
    auto path = find(distances, at);
    watch(at, path);
    const auto count = static_cast<double>(path.nodes.size());
    if (path.nodes.empty()) blocked = (std::max)(blocked, at);
    if (!path.nodes.empty() && std::abs(count - wanted) < nearest_miss) {
      nearest_miss = std::abs(count - wanted);
      nearest = {path, at, 0.0};
    }
    if (nearest_miss == 0.0) break;
    if (path.nodes.empty() || count > wanted) {
      if (at > direct && !path.nodes.empty()) break;
      before = at;
      at *= step;
    } else {
      // The number jumped over `nodes`: scan again from the last E that gave too many nodes, or none.
      step = 1.0 + (step - 1.0) / 16.0;
      at = before * step;
      ++refinements;
    }
  }
  nearest.blocked = blocked;
  return nearest;
}

}  // namespace softscore::inline SOFTSCORE_ABI
