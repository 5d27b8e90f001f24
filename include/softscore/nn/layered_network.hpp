#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <softscore/backend/operations.hpp>
#include <softscore/core/checked_size.hpp>
#include <softscore/core/conditioning.hpp>
#include <softscore/core/config.hpp>
#include <softscore/core/error.hpp>
#include <softscore/nn/embedding.hpp>
#include <softscore/nn/layer.hpp>
#include <softscore/nn/network_input.hpp>
#include <softscore/nn/parameter_store.hpp>

namespace softscore::inline SOFTSCORE_ABI {

/// The image that a network sees beside x, if it has channels: before x's channels, as in SR3 (Saharia et al. 2021), or
/// after them.
struct image_beside {
  std::size_t channels{};
  bool first{true};

  image_beside(std::size_t of_channels = 0, bool before_x = true) : channels{of_channels}, first{before_x} {}
};

/// All memory that evaluations of a network write to: activations, gradients, plans and the backend's copy of the
/// parameters.
template <class Body, class E, class Be, class T>
class network_memory {
 public:
  network_memory(Be& be, const Body& body, const E& embedding, const shape& in, std::size_t images, std::size_t beside,
                 std::size_t parameters)
      : most_{in.with_images(images)},
        with_{be, images},
        input_{with_.keep({1, in.channels + beside, in.height, in.width})},
        output_{with_.keep(body.output({1, in.channels + beside, in.height, in.width}))},
        d_input_{with_.temporary(input_.extent())},
        x_{beside > 0 ? with_.temporary(in) : planned_array<Be, T>{}},
        beside_{beside > 0 ? with_.temporary({1, beside, in.height, in.width}) : planned_array<Be, T>{}},
        plain_beside_{beside > 0 ? with_.temporary(beside_.extent()) : planned_array<Be, T>{}},
        embedding_{embedding.memory(with_)},
        body_{body.memory(with_, {1, in.channels + beside, in.height, in.width})},
        beside_staging_{vector_of<T>("elements beside x", {images, beside, in.height, in.width})},
        staging_{vector_of<T>("number of parameters", {std::same_as<T, float> ? 0 : parameters})},
        own_parameters_{be.template make<T>({1, 1, 1, parameters})} {
    with_.finish();
  }

  /// The shape that it was made for.
  const shape& most() const { return most_; }
  /// The number of elements of all activations.
  std::size_t elements() const { return with_.elements(); }
  /// A description, for people, of how the convolutions are computed; empty if the backend has none.
  std::string describe() const { return with_.describe(); }

 private:
  template <class, class>
  friend class layered_network;

  shape most_;
  planning<Be, T> with_;
  planned_array<Be, T> input_, output_, d_input_;  // in activation order
  planned_array<Be, T> x_, beside_;                // the parts of the input, if it has two; x_ is also used for dx
  planned_array<Be, T> plain_beside_;
  embedding_memory<E, Be, T> embedding_;
  memory_of<Body, Be, T> body_;
  std::uint64_t stamp_{};  // stamp of the parameters in own_parameters_ that the plans are prepared for; 0 for others
  std::vector<T> beside_staging_, staging_;  // the second for parameters of another precision
  array_of<Be, T> own_parameters_;
  pass<Be, T> last_{};  // the last evaluation
};

/// A network made of one layer and an embedding: a map phi(x, t) with parameters and a hand-written gradient. Networks
/// derive from it.
template <class Body, class E>
class layered_network : public parameter_store {
 public:
  template <class Be, class T>
  using memory = network_memory<Body, E, Be, T>;

  /// The shape of one image that the network was made for.
  const shape& image() const { return image_; }
  /// The shape of the output for a batch of that shape. Throws `error` for images that the network cannot take.
  shape output(const shape& images) const {
    if (images.images == 0 || images.channels != image_.channels || images.plane() == 0)
      reject("the network's input", images, "one or more images of " + detail::counted(image_.channels, "channel"));
    return body_.output(joined(images)).with_images(images.images);
  }
  /// The channels of the output.
  std::size_t output_channels() const { return output_channels_; }

  /// The image that it sees beside x.
  const image_beside& beside() const { return beside_; }
  /// Throws `error` if the image given beside x is missing, surplus or of another shape than a batch `images` requires.
  template <class = when_called>
  void check(const conditioning& given, const shape& images) const {
    const shape wanted{images.images, beside_.channels, images.height, images.width};
    if (beside_.channels == 0 && !given.image.empty())
      reject("an image given to a network beside x", given.image.extent(), "missing, for this network takes none");
    if (beside_.channels > 0 && given.image.empty())
      reject("the number of images given to a network beside x", 0,
             "that of the images, " + detail::shown(images.images) + ", with " +
                 detail::counted(beside_.channels, "channel") + " each");
    if (beside_.channels > 0 && given.image.extent() != wanted)
      reject("the extent of the images given to a network beside x", given.image.extent(), detail::shown(wanted));
  }

  const Body& body() const { return body_; }
  const E& embedding() const { return embedding_; }

  /// Makes memory for batches of at most `most.images` images. After this nothing below allocates. Throws `error` for a
  /// shape that the network cannot take.
  template <class T, class Be>
    requires NetworkBackend<Be, T>
  memory<Be, T> workspace(Be& be, const shape& most) const {
    static_cast<void>(output(most));
    return {be, body_, embedding_, most.with_images(1), most.images, beside_.channels, parameter_count()};
  }

  /// Stores out = phi(x, t) with the network's own parameters, which are copied to the backend if their stamp has
  /// changed. x (N,c,H,W) and out are in plain order; N may be less than the workspace's. `asked` is a time, one per
  /// image, or a `network_input`.
  template <class Be, class T, NetworkInput Input>
    requires Embedding<E, Be, T, time_of_input<Input>>
  void evaluate(Be& be, const Input& asked, in_of<Be, T> x, std::type_identity_t<view_of<Be, T>> out,
                memory<Be, T>& ws) const {
    const network_input input{asked};
    require_valid(input, x, out, ws);
    if (ws.stamp_ != stamp()) {
      const view_of<Be, T> own = ws.own_parameters_.view();
      if constexpr (std::same_as<T, float>) {
        be.upload(parameters().data(), own);
      } else {
        std::copy(parameters().begin(), parameters().end(), ws.staging_.begin());
        be.upload(ws.staging_.data(), own);
      }
      body_.prepare(be, view_of<Be, const T>{own}, ws.body_);
      ws.stamp_ = stamp();
    }
    const bool alike = input.times.shared() && input.given.labels.empty() && input.given.features.empty();
    run<Be, T>(be, ws.own_parameters_.view(), input, x, out, alike ? 1 : x.extent().images, ws);
  }

  /// Stores out = phi(x, t) with the flat parameters `params` in the backend's memory.
  template <class Be, class T, NetworkInput Input>
    requires Embedding<E, Be, T, time_of_input<Input>>
  void forward(Be& be, in_of<Be, T> params, const Input& asked, in_of<Be, T> x,
               std::type_identity_t<view_of<Be, T>> out, memory<Be, T>& ws) const {
    const network_input input{asked};
    require_valid(input, x, out, ws);
    body_.prepare(be, view_of<Be, const T>{params}, ws.body_);
    ws.stamp_ = 0;
    run<Be, T>(be, params, input, x, out, x.extent().images, ws);
  }

  /// Call it after `forward` with the same parameters. From dout, the gradient of a loss with respect to out, it sets
  /// the gradients with respect to x and the parameters. Either may be empty and is then skipped.
  template <class Be, class T>
  void backward(Be& be, in_of<Be, T> params, in_of<Be, T> dout, std::type_identity_t<view_of<Be, T>> dx,
                std::type_identity_t<view_of<Be, T>> gradients, memory<Be, T>& ws) const {
    const std::size_t images = dout.extent().images;
    require(images == ws.last_.images, "the images of a gradient", images, "as many as were evaluated last");
    const view_of<Be, T> dy = ws.output_.view(images).slice(0, dout.extent());
    pack(be, dout, dy);
    if constexpr (ScalesOutput<E, Be, T>) embedding_.scale_output(be, dy, ws.embedding_);
    pass<Be, T> p = ws.last_;
    p.parameters = params;
    p.gradients = gradients;
    const bool embeds = !gradients.empty() && is_embedded();
    if (embeds) {
      if (embedding_.width() > 0) {
        p.d_embedding = embedding_.gradient(ws.embedding_, images);
        be.for_each(detail::set_zero{}, p.d_embedding);
      }
      if constexpr (GivesPlanes<E, Be, T>) p.d_planes = embedding_.d_planes(ws.embedding_, images);
    }
    const view_of<Be, T> d_input = dx.empty() ? view_of<Be, T>{} : ws.d_input_.view(images);
    body_.backward(be, p, ws.input_.view(images), dy, d_input, ws.body_);
    if (!dx.empty() && beside_.channels == 0) unpack(be, d_input, dx);
    if (!dx.empty() && beside_.channels > 0) {
      const view_of<Be, T> d_x = ws.x_.view(images), none{};
      separate(be, d_input, beside_.first ? none : d_x, beside_.first ? d_x : none);
      unpack(be, d_x, dx);
    }
    if (embeds) embedding_.backward(be, params, gradients, images, ws.embedding_);
  }

  /// Stores out = J^T v, where J is the Jacobian in x at the last evaluation in `ws`.
  template <class Be, class T>
  void pullback(Be& be, in_of<Be, T> v, std::type_identity_t<view_of<Be, T>> out, memory<Be, T>& ws) const {
    backward<Be, T>(be, ws.last_.parameters, v, out, {}, ws);
  }

 protected:
  /// `beside` is the image that the network sees beside x.
  layered_network(Body body, E embedding, const shape& image, const std::string& body_name,
                  const std::string& embedding_name, image_beside beside = {})
      : layered_network{placed(std::move(body), std::move(embedding), image, body_name, embedding_name, beside)} {}

  /// The layers' memory between passes, with the activations of the last evaluation.
  template <class Be, class T>
  static const memory_of<Body, Be, T>& body_memory(const memory<Be, T>& ws) {
    return ws.body_;
  }
  /// The number of images that were evaluated last.
  template <class Be, class T>
  static std::size_t images_of(const memory<Be, T>& ws) {
    return ws.last_.images;
  }

  /// What a network consists of, without the values of its parameters.
  struct parts {
    Body body;
    E embedding;
    shape image;
    image_beside beside;
    std::size_t output_channels;
    parameter_layout layout;
  };
  /// The same, from what `placed` returns for these arguments.
  explicit layered_network(parts all)
      : parameter_store{std::move(all.layout)},
        body_{std::move(all.body)},
        embedding_{std::move(all.embedding)},
        image_{all.image},
        beside_{all.beside},
        output_channels_{all.output_channels} {}
  static parts placed(Body body, E embedding, const shape& image, const std::string& body_name,
                      const std::string& embedding_name, image_beside beside) {
    parts all{std::move(body), std::move(embedding), image.with_images(1), beside, 0, {}};
    placement to{all.layout, all.embedding.width()};
    all.output_channels =
        all.body.place(to, body_name, {1, image.channels + beside.channels, image.height, image.width}).channels;
    all.embedding.place(all.layout, embedding_name);
    return all;
  }

 private:
  // Whether the embedding is evaluated: for its own features, or for numbers that the network sees as planes.
  bool is_embedded() const {
    if constexpr (requires { embedding_.plane_count(); }) return embedding_.width() + embedding_.plane_count() > 0;
    return embedding_.width() > 0;
  }
  // The shape of x and the image beside it together.
  shape joined(shape s) const {
    s.channels += beside_.channels;
    return s;
  }

  template <class Be, class T, class Time>
  void require_valid(const network_input<Time>& input, view_of<Be, const T> x, view_of<Be, T> out,
                     const memory<Be, T>& ws) const {
    const std::size_t images = x.extent().images;
    require(images > 0 && images <= ws.most_.images && x.extent().with_images(1) == ws.most_.with_images(1),
            "the network's input", x.extent(), "images of the workspace's shape, no more than it was made for");
    require(out.extent() == ws.output_.extent().with_images(images), "the network's output", out.extent(),
            "of the shape that the network gives");
    embedding_.check(input, images);
    check(input.given, x.extent());
  }

  // The input of the body, in activation order: x, and the image beside it, which comes from the host.
  template <class Be, class T>
  void fill_input(Be& be, const conditioning& given, view_of<Be, const T> x, view_of<Be, T> in,
                  memory<Be, T>& ws) const {
    if (beside_.channels == 0) {
      pack(be, x, in);
      return;
    }
    const std::size_t images = x.extent().images;
    const view_of<Be, T> of_x = ws.x_.view(images), image = ws.beside_.view(images),
                         plain = ws.plain_beside_.view(images);
    for (std::size_t i = 0; i < given.image.size(); ++i) ws.beside_staging_[i] = static_cast<T>(given.image[i]);
    be.upload(ws.beside_staging_.data(), plain);
    pack(be, plain, image);
    pack(be, x, of_x);
    concatenate(be, beside_.first ? image : of_x, beside_.first ? of_x : image, in);
  }

  // The forward pass; `rows` is 1 if the same is known about all images.
  template <class Be, class T, class Time>
  void run(Be& be, view_of<Be, const T> params, const network_input<Time>& input, view_of<Be, const T> x,
           view_of<Be, T> out, std::size_t rows, memory<Be, T>& ws) const {
    const std::size_t images = x.extent().images;
    ws.last_ = pass<Be, T>{params, {}, {}, {}, images, input.dropout};
    ws.last_.labels = input.given.labels;
    const view_of<Be, T> in = ws.input_.view(images);
    fill_input<Be, T>(be, input.given, x, in, ws);
    if (is_embedded()) ws.last_.embedding = embedding_.forward(be, params, input, rows, ws.embedding_);
    if constexpr (GivesPlanes<E, Be, T>) ws.last_.planes = embedding_.planes(ws.embedding_, rows);
    const view_of<Be, T> y = ws.output_.view(images);
    body_.forward(be, ws.last_, in, y, ws.body_);
    ws.last_.labels = {};  // the caller's memory
    if constexpr (ScalesOutput<E, Be, T>) embedding_.scale_output(be, y, ws.embedding_);
    unpack(be, y, out);
  }

  Body body_;
  E embedding_;
  shape image_;
  image_beside beside_;
  std::size_t output_channels_;
};

}  // namespace softscore::inline SOFTSCORE_ABI
