// U-Nets, as diffusers' UNet2DModel has them: a training step (forward, mean squared error, backward and Adam), an
// evaluation, and DDIM, in float32.
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <softscore/sampler/sample_pipeline.hpp>

#include "unet_models.hpp"

namespace {

using namespace softscore;
using bench::unet_model;

/// What is timed of a model: its name and what makes it.
struct unet_case {
  std::string name;
  std::function<std::function<void()>()> make;
};

// 16 images by 50 steps of DDIM.
std::function<void()> sampling(const unet_model& model) {
  const auto be = std::make_shared<tbb_backend>(bench::cores());
  const auto net = std::make_shared<unet<step_index>>(model.network());
  return [be, net] {
    diffusers_scheduler scheduler;
    scheduler.kind = scheduler_kind::ddim;
    sample_options options;
    options.images = 16;
    benchmark::DoNotOptimize(sample_pipeline(*be, {*net, scheduler}, 50, options));
  };
}

std::vector<unet_case> cases_of(const unet_model& model) {
  std::vector<unet_case> cases;
  const auto training = [&](const std::string& name, std::size_t threads, std::size_t images, bool recompute = false) {
    unet_model of = model;
    of.config.recompute = recompute;
    cases.push_back({model.name + " training" + name, [=] {
                       return [step = std::make_shared<bench::unet_step<>>(threads, of, images)] {
                         benchmark::DoNotOptimize((*step)());
                       };
                     }});
  };
  const auto forward = [&](const std::string& name, std::size_t threads, std::size_t images) {
    cases.push_back({model.name + " forward" + name, [=] {
                       return [e = std::make_shared<bench::unet_evaluation>(threads, model, images)] { (*e)(); };
                     }});
  };
  const bool several = model.batches.size() > 1;
  for (const std::size_t images : model.batches) {
    const std::string batch = several ? ", batch " + std::to_string(images) : "";
    training(batch, bench::cores(), images);
    if (bench::cores() > 1) training(batch + ", one thread", 1, images);
    forward(batch, bench::cores(), images);
    if (bench::cores() > 1) forward(batch + ", one thread", 1, images);
  }
  if (several)
    training(", batch " + std::to_string(model.batches.front()) + ", recomputed", bench::cores(), model.batches.front(),
             true);
  forward(", one image", bench::cores(), 1);
  if (model.name == "(a)") cases.push_back({model.name + " sampling", [=] { return sampling(model); }});
  return cases;
}

/// What a peer compares, of the models of which something is asked for.
void write_answer(const std::string& file) {
  std::list<std::vector<float>> kept;
  std::vector<named_tensor> tensors;
  const auto give = [&](std::string name, std::vector<std::size_t> sizes, std::vector<float> values) {
    tensors.emplace_back(std::move(name), std::move(sizes), kept.emplace_back(std::move(values)));
  };
  for (const unet_model& model : bench::unet_models()) {
    bool asked = false;
    for (const unet_case& one : cases_of(model)) asked = asked || bench::asked_for(one.name);
    if (!asked) continue;
    const std::size_t images = model.batches.front();
    bench::unet_step<> step{bench::cores(), model, images};
    const shape s = step.batch.extent;
    const std::vector<std::size_t> all{images, s.channels, s.height, s.width};
    auto dx = step.be.make<float>(s);
    step.forward();
    const auto out = step.output();
    const auto loss = static_cast<float>(step.backward(dx.view()));
    bench::unet_evaluation evaluation{bench::cores(), model, images};
    evaluation();
    std::vector<float> times, labels;
    for (const step_index t : step.batch.times) times.push_back(static_cast<float>(t.value));
    for (const class_label label : step.batch.labels) labels.push_back(static_cast<float>(label));
    const std::string of = model.name + "/";
    give(of + "x", all, step.batch.x);
    give(of + "target", all, step.batch.target);
    give(of + "t", {images}, times);
    if (!labels.empty()) give(of + "labels", {images}, labels);
    give(of + "ours/output", all, out);
    give(of + "ours/loss", {1}, {loss});
    give(of + "ours/dx", all, step.values(dx));
    give(of + "ours/evaluated", all, evaluation.output());
    const auto gradients = step.gradients();
    for (const parameter& p : step.net.layout()) {
      const auto part = [&](std::span<const float> values) {
        const auto found = values.subspan(p.offset, p.size());
        return std::vector<float>(found.begin(), found.end());
      };
      give(of + "param/" + p.name, p.sizes, part(step.net.parameters()));
      give(of + "ours/grad/" + p.name, p.sizes, part(gradients));
    }
  }
  write_safetensors(file, tensors);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, write_answer, [] {
    for (const unet_model& model : bench::unet_models())
      for (const unet_case& one : cases_of(model)) bench::add(one.name, one.make);
  });
}
