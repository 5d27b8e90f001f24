#include "data.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include <softscore/core/error.hpp>
#include <softscore/core/number_text.hpp>
#include <softscore/data/cifar10.hpp>
#include <softscore/data/idx.hpp>
#include <softscore/data/image_folder.hpp>
#include <softscore/io/file_error.hpp>

#include "common/memory.hpp"

namespace images {
namespace {

namespace fs = std::filesystem;
using softscore::labeled_images;
using softscore::detail::printable;

// The contents of a folder, in the order of their names.
struct listing {
  std::vector<fs::path> batches, test_batches;  // of CIFAR-10
  bool idx{}, jpeg{};
  std::vector<fs::path> folders;
};

listing list(const fs::path& folder) {
  std::error_code failed;
  listing found;
  for (fs::directory_iterator entry{folder, failed}, end; !failed && entry != end; entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (name.starts_with('.')) continue;
    if (entry->is_directory(ignored)) {
      found.folders.push_back(entry->path());
      continue;
    }
    // A compressed copy of a plain file is the same batch.
    const bool plain = name.ends_with(".bin");
    const bool packed = name.ends_with(".bin.gz") && !fs::exists(fs::path{entry->path()}.replace_extension(), ignored);
    if (name.starts_with("data_batch") && (plain || packed)) found.batches.push_back(entry->path());
    if (name.starts_with("test_batch") && (plain || packed)) found.test_batches.push_back(entry->path());
    found.idx = found.idx || name.find("idx3-ubyte") != name.npos;
    found.jpeg = found.jpeg || name.ends_with(".jpg") || name.ends_with(".jpeg") || name.ends_with(".JPG");
  }
  if (failed) softscore::detail::file_failure(folder.string(), "be read", failed.value());
  for (auto* paths : {&found.batches, &found.test_batches, &found.folders}) std::sort(paths->begin(), paths->end());
  return found;
}

// The images at these positions.
labeled_images chosen(const labeled_images& all, const std::vector<std::size_t>& places) {
  labeled_images part{softscore::make_tensor(all.extent().with_images(places.size())), {}};
  const std::size_t each = all.extent().per_image();
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::copy_n(all.pixels.data() + places[i] * each, each, part.pixels.data() + i * each);
    if (!all.labels.empty()) part.labels.push_back(all.labels[places[i]]);
  }
  return part;
}

// `count` of `all` images, evenly spread, because those of a class may be contiguous.
labeled_images spread(labeled_images all, std::size_t count) {
  const std::size_t there = all.extent().images;
  if (count >= there) return all;
  std::vector<std::size_t> places(count);
  for (std::size_t i = 0; i < count; ++i) places[i] = i * there / count;
  return chosen(all, places);
}

// Removes `count` images from all, evenly spread, for the test.
softscore::data_set hold_out(labeled_images all, std::size_t count) {
  const std::size_t there = all.extent().images;
  if (count == 0) return {std::move(all), {}};
  std::vector<std::size_t> kept, held;
  for (std::size_t i = 0; i < there; ++i)
    (held.size() < count && i == (2 * held.size() + 1) * there / (2 * count) ? held : kept).push_back(i);
  return {chosen(all, kept), chosen(all, held)};
}

labeled_images read_batches(const std::vector<fs::path>& files) {
  std::vector<labeled_images> parts;
  std::size_t count = 0;
  for (const auto& file : files) {
    parts.push_back(softscore::read_cifar10(file));
    count += parts.back().extent().images;
  }
  labeled_images all{softscore::make_tensor({count, 3, 32, 32}), {}};
  float* to = all.pixels.data();
  for (const auto& part : parts) {
    to = std::copy_n(part.pixels.data(), part.pixels.size(), to);
    all.labels.insert(all.labels.end(), part.labels.begin(), part.labels.end());
  }
  return all;
}

void require_room(const softscore::image_folder& files) {
  const auto first = softscore::extent_of(softscore::read_png(files.files.front()));
  // The pixels while they are collected, and the batch that they become.
  const double bytes =
      2.0 * sizeof(float) * static_cast<double>(first.per_image()) * static_cast<double>(files.files.size());
  softscore::require(bytes <= common::memory_of_machine(), "the number of images in " + files.path.string(),
                     files.files.size(),
                     "small enough for the memory: they take " + softscore::detail::fixed(bytes, 0) +
                         " bytes, and there are " + softscore::detail::fixed(common::memory_of_machine(), 0));
}

loaded_images read_pngs(const fs::path& folder, const listing& there) {
  auto top = softscore::find_images(folder);
  softscore::image_folder below{folder, {}, 0};
  loaded_images read;
  std::vector<softscore::class_label> labels;
  for (const auto& sub : there.folders) {
    const auto found = softscore::find_images(sub);
    if (found.files.empty()) continue;
    labels.insert(labels.end(), found.files.size(), static_cast<softscore::class_label>(read.classes.size()));
    read.classes.push_back(sub.filename().string());
    below.files.insert(below.files.end(), found.files.begin(), found.files.end());
  }
  const std::string shown = printable(folder.string());
  if (!top.files.empty() && !below.files.empty())
    throw softscore::error(shown + " has PNG files beside the sub-folder " + printable(read.classes.front()) +
                           " with PNG files, but it must have one of these: the names of sub-folders are labels");
  if (top.files.empty() && below.files.empty())
    throw softscore::error(shown +
                           " must have PNG files, sub-folders of PNG files, CIFAR-10's data_batch_1.bin or MNIST's "
                           "four IDX files, but has none of these" +
                           (there.jpeg ? " (JPEG files must be converted to PNG)" : ""));
  const auto& files = below.files.empty() ? top : below;
  require_room(files);
  read.set.training = {softscore::read_image_folder(files), std::move(labels)};
  return read;
}

loaded_images read_all(const std::string& folder) {
  const listing there = list(folder);
  loaded_images read;
  if (!there.batches.empty()) {
    read.set = {read_batches(there.batches), {}};
    if (!there.test_batches.empty()) read.set.test = read_batches(there.test_batches);
    read.classes = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  } else if (there.idx) {
    read.set = softscore::read_mnist(folder);
    for (int k = 0; k < 10; ++k) read.classes.push_back(std::to_string(k));
  } else {
    read = read_pngs(folder, there);
  }
  return read;
}

}  // namespace

loaded_images load_images(const std::string& folder, std::size_t images, std::size_t test_images) {
  auto read = read_all(folder);
  auto& set = read.set;
  if (set.test.extent().images > 0)
    set.test = spread(std::move(set.test), test_images);
  else
    set = hold_out(std::move(set.training), std::min(test_images, set.training.extent().images / 10));
  const std::size_t there = set.training.extent().images;
  softscore::require(images <= there, "--images", images,
                     "at most the " + std::to_string(there) + " training images in " + folder);
  if (images > 0) set.training = spread(std::move(set.training), images);
  return read;
}

}  // namespace images
