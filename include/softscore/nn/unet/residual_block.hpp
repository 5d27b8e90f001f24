#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <softscore/backend/archetype_operations.hpp>
#include <softscore/backend/operations.hpp>
#include <softscore/core/cmath.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/core/noise.hpp>
#include <softscore/nn/conv2d.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/linear.hpp>
#include <softscore/nn/unet/normalization.hpp>
#include <softscore/nn/unet/resampling.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// Options of the residual blocks of U-Nets.
struct residual_options {
  std::size_t out_channels{};
  std::size_t groups_in{32}, groups_out{32};  ///< of the two norms
  double epsilon{1e-5};
  bool scale_shift{};                     ///< the embedding scales and shifts the second norm; else it is added before
  double dropout{};                       ///< probability that an element before the second convolution is dropped
  double divisor{1};                      ///< of the sum of both paths
  resampling resample{resampling::none};  ///< of both paths, before the first convolution
  bool shortcut{};                        ///< a 1x1 convolution on the skip even where the channels agree
};

/// The residual block of U-Nets (Ho et al. 2020; Dhariwal and Nichol 2021; Song et al. 2021): x (N,I,H,W) -> y
/// (N,O,H',W') = (skip(x) + conv2(dropout(silu(norm2(conv1(resample(silu(norm1(x)))) + e))))) / divisor. e is
/// `time_emb_proj` of the embedding; with `scale_shift` it enters instead as norm2 (1 + a) + b with its halves a and b.
/// The skip is resampled too, and has a 1x1 `conv_shortcut` if the channels differ. If there is a shortcut and no
/// resampling, x may be in two parts, which are read in place.
class residual_block {
 public:
  /// Throws `error` for a dropout outside [0, 1) and for a divisor that is not above 0.
  explicit residual_block(const residual_options& options)
      : o_{options},
        norm1_{o_.groups_in, o_.epsilon, activation::silu},
        norm2_{o_.groups_out, o_.epsilon, activation::silu},
        conv1_{o_.out_channels},
        conv2_{o_.out_channels},
        skip_{o_.out_channels, 1} {
    require(o_.dropout >= 0 && o_.dropout < 1, "dropout", o_.dropout, "at least 0 and below 1");
    require(o_.divisor > 0 && std::isfinite(o_.divisor), "the divisor of a residual block", o_.divisor,
            "positive and finite");
  }

  shape place(placement& to, const std::string& name, const shape& in) {
    const shape inner = resampled(o_.resample, in), out = output(in);
    norm1_.place(to, name + ".norm1", in.channels);
    conv1_.place(to, name + ".conv1", inner);
    if (to.embedding() > 0)
      time_.emplace(to.layout(), name + ".time_emb_proj", to.embedding(), (o_.scale_shift ? 2 : 1) * o_.out_channels);
    norm2_.place(to, name + ".norm2", o_.out_channels);
    if (o_.dropout > 0) draw_ = to.next_dropout();
    conv2_.place(to, name + ".conv2", out);
    has_skip_ = o_.shortcut || in.channels != o_.out_channels;
    if (has_skip_) skip_.place(to, name + ".conv_shortcut", inner);
    return out;
  }
  shape output(const shape& in) const {
    const shape inner = resampled(o_.resample, in);
    return {1, o_.out_channels, inner.height, inner.width};
  }

  template <class Be, class T>
  struct state {
    group_norm_plan_of<Be, T> norm1, norm2;
    conv2d::state<Be, T> conv1, conv2;
    std::optional<conv2d::state<Be, T>> skip;
    planned_array<Be, T> first, resized, hidden, second;  // silu(norm1), resampled; conv1; silu(norm2)
    planned_array<Be, T> x, shifts;                       // x resampled; (N,O) or (N,2O)
    planned_array<Be, T> on_skip, d_shifts, d_embedding, scaled, d_hidden, d_resized, d_first, d_skip, resampled_skip;
  };
  template <class Be, class T>
  state<Be, T> memory(planning<Be, T>& with, const shape& in) const {
    const typename planning<Be, T>::temporary_scope scope{with};
    const shape inner = resampled(o_.resample, in), out = output(in);
    const bool resamples = o_.resample != resampling::none, embeds = time_.has_value();
    using array = planned_array<Be, T>;
    const array none{}, first = resamples ? with.temporary(in) : with.keep(in);
    const array resized = resamples ? with.keep(inner) : none, hidden = with.keep(out), second = with.keep(out);
    const array x = !resamples ? none : has_skip_ ? with.keep(inner) : with.temporary(inner);
    const shape row = {1, embeds ? time_->outputs() : 0, 1, 1}, embedding{1, embeds ? time_->inputs() : 0, 1, 1};
    const array shifts = embeds ? with.keep(row) : none, d_shifts = embeds ? with.temporary(row) : none,
                d_embedding = embeds ? with.temporary(embedding) : none;
    const array on_skip = has_skip_ ? with.temporary(out) : none, scaled = o_.divisor != 1 ? with.temporary(out) : none;
    const array d_hidden = with.temporary(out), d_resized = with.temporary(inner),
                d_first = resamples ? with.temporary(in) : none, d_skip = has_skip_ ? with.temporary(inner) : none,
                resampled_skip = resamples ? with.temporary(in) : none;
    return {norm1_.plan(with, in),
            norm2_.plan(with, out),
            conv1_.memory(with, inner),
            conv2_.memory(with, out),
            has_skip_ ? std::optional{skip_.memory(with, inner)} : std::nullopt,
            first,
            resized,
            hidden,
            second,
            x,
            shifts,
            on_skip,
            d_shifts,
            d_embedding,
            scaled,
            d_hidden,
            d_resized,
            d_first,
            d_skip,
            resampled_skip};
  }

  template <class Be, class T>
  void prepare(Be& be, in_of<Be, T> parameters, state<Be, T>& m) const {
    conv1_.prepare(be, parameters, m.conv1);
    conv2_.prepare(be, parameters, m.conv2);
    if (has_skip_) skip_.prepare(be, parameters, *m.skip);
  }

  template <class Be, class T>
  void forward(Be& be, const pass<Be, T>& p, joined_in_of<Be, T> x, out_of<Be, T> y, state<Be, T>& m) const {
    using constant = view_of<Be, const T>;
    require_one_part_or_shortcut(x.in_parts());
    const std::size_t n = p.images;
    const auto first = m.first.view(n), hidden = m.hidden.view(n), second = m.second.view(n);
    norm1_.forward(be, p, x, constant{}, constant{}, first, m.norm1);
    constant in = first, skipped = x.first;
    if (o_.resample != resampling::none) {
      resample_forward<Be, T>(be, o_.resample, first, m.resized.view(n));
      resample_forward<Be, T>(be, o_.resample, x.first, m.x.view(n));
      in = m.resized.view(n);
      skipped = m.x.view(n);
    }
    conv1_.forward(be, p, in, hidden, m.conv1);
    if (time_) time_->template forward<Be, T>(be, p.parameters, p.embedding, m.shifts.view(rows(p)));
    norm2_.forward(be, p, hidden, shift(p, m), modulation(p, m), second, m.norm2);
    drop(be, p, second);
    if (has_skip_) {
      skip_.forward(be, p, x.in_parts() ? x : skipped, m.on_skip.view(n), *m.skip);
      skipped = m.on_skip.view(n);
    }
    conv2_.forward_and_add(be, p, second, skipped, y, m.conv2);
    if (o_.divisor != 1) be.combine(y, term{1 / o_.divisor, y});
  }

  /// dx is in as many parts as x; with `add`, adds to that part.
  template <class Be, class T>
  void backward(Be& be, const pass<Be, T>& p, joined_in_of<Be, T> x, in_of<Be, T> dy, joined_out_of<Be, T> dx,
                state<Be, T>& m, const std::array<bool, 2>& add = {}) const {
    using constant = view_of<Be, const T>;
    const std::size_t n = p.images;
    const bool resamples = o_.resample != resampling::none, embeds = time_ && !p.d_embedding.empty();
    constant d = dy;
    if (o_.divisor != 1) {
      be.combine(m.scaled.view(n), term_of<Be, T>{1 / o_.divisor, dy});
      d = m.scaled.view(n);
    }
    const view_of<Be, T> none{}, d_hidden = m.d_hidden.view(n), d_resized = m.d_resized.view(n),
                                 d_shifts = embeds ? m.d_shifts.view(n) : none;
    conv2_.backward(be, p, m.second.view(n), d, d_hidden, m.conv2);
    drop(be, p, d_hidden);
    norm2_.backward(be, p, m.hidden.view(n), shift(p, m), modulation(p, m), d_hidden, d_hidden,
                    o_.scale_shift ? none : d_shifts, o_.scale_shift ? d_shifts : none, m.norm2);
    if (embeds) {
      time_->template backward<Be, T>(be, p.parameters, p.embedding, d_shifts, m.d_embedding.view(n), p.gradients);
      be.combine(p.d_embedding, term{1.0, p.d_embedding}, term{1.0, m.d_embedding.view(n)});
    }
    conv1_.backward(be, p, resamples ? m.resized.view(n) : m.first.view(n), d_hidden, d_resized, m.conv1);
    view_of<Be, T> d_first = d_resized;
    if (resamples) {
      d_first = m.d_first.view(n);
      resample_backward<Be, T>(be, o_.resample, d_resized, d_first);
    }
    constant through = d;  // the skip, before it is resampled
    if (has_skip_) {
      const view_of<Be, T> d_skip = dx.empty() ? none : m.d_skip.view(n);
      skip_.backward(be, p, resamples ? constant{m.x.view(n)} : x, d, d_skip, *m.skip);
      through = d_skip;
    }
    if (resamples && !dx.empty()) {
      resample_backward<Be, T>(be, o_.resample, through, m.resampled_skip.view(n));
      through = m.resampled_skip.view(n);
    }
    norm1_.backward_into(be, p, x, d_first, through, add, dx, m.norm1);  // the two paths meet
  }

 private:
  // An input that is resampled or added unchanged must be in one part.
  void require_one_part_or_shortcut(bool in_parts) const {
    require(!in_parts || (has_skip_ && o_.resample == resampling::none), "the input of a residual block", "two parts",
            "one part, unless the block has a shortcut and keeps the size");
  }
  template <class Be, class T>
  static std::size_t rows(const pass<Be, T>& p) {
    return p.embedding.extent().images;
  }
  template <class Be, class T>
  view_of<Be, const T> shift(const pass<Be, T>& p, state<Be, T>& m) const {
    return time_ && !o_.scale_shift ? view_of<Be, const T>{m.shifts.view(rows(p))} : view_of<Be, const T>{};
  }
  template <class Be, class T>
  view_of<Be, const T> modulation(const pass<Be, T>& p, state<Be, T>& m) const {
    return time_ && o_.scale_shift ? view_of<Be, const T>{m.shifts.view(rows(p))} : view_of<Be, const T>{};
  }
  // Drops the same elements in both directions and in a forward pass that is run again.
  template <class Be, class T>
  void drop(Be& be, const pass<Be, T>& p, view_of<Be, T> a) const {
    if (!p.dropout || o_.dropout == 0) return;
    dropout(be, noise_key{p.dropout->seed, noise_stream::dropout, p.dropout->step, draw_},
            image_range{p.dropout->first_image, p.images}, o_.dropout, false, a, a);
  }

  residual_options o_;
  block_norm norm1_, norm2_;
  conv2d conv1_, conv2_, skip_;
  std::optional<linear> time_{};
  std::uint8_t draw_{};
  bool has_skip_{};
};
static_assert(Layer<residual_block, archetype_backend, float> && Layer<residual_block, archetype_backend, double>);

}  // namespace softscore::inline SOFTSCORE_ABI
