#include <softscore/data/idx.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "catch.hpp"
#include "idx_files.hpp"
#include "pack_gzip.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using softscore::read_idx_images;
using softscore::read_idx_labels;
using softscore::read_mnist;

namespace {

// The four files of a small set.
void put_set(const temporary_folder& folder) {
  folder.put("train-images-idx3-ubyte", idx_images_file(12, 4, 5));
  folder.put("train-labels.idx1-ubyte", idx_labels_file(12));
  folder.put("t10k-images.idx3-ubyte.gz", pack_gzip(idx_images_file(3, 4, 5)));
  folder.put("t10k-labels-idx1-ubyte.gz", pack_gzip(idx_labels_file(3)));
}

}  // namespace

TEST_CASE("IDX images are bytes over 255, row by row") {
  const temporary_folder folder;
  const auto images = read_idx_images(folder.put("a", idx_images_file(2, 3, 4)));
  REQUIRE(softscore::extent_of(images) == softscore::shape{2, 1, 3, 4});
  for (std::size_t i = 0; i < images.size(); ++i) {
    CHECK(images.data()[i] == static_cast<float>(i * 31 % 256) / 255.0f);
  }
  CHECK((read_idx_images(folder.put("a.gz", pack_gzip(idx_images_file(2, 3, 4)))) == images));
  CHECK(read_idx_labels(folder.put("b", idx_labels_file(4))) == std::vector<softscore::class_label>{0, 1, 2, 3});
}

TEST_CASE("a folder is read under any of the usual names, plain or packed") {
  const temporary_folder folder;
  put_set(folder);
  const auto data = read_mnist(folder.path());
  CHECK(data.training.extent() == softscore::shape{12, 1, 4, 5});
  CHECK(data.test.extent() == softscore::shape{3, 1, 4, 5});
  CHECK(data.training.labels.size() == 12);
  CHECK(data.training.labels[11] == 1);
  CHECK(data.test.labels == std::vector<softscore::class_label>{0, 1, 2});
}

TEST_CASE("a folder whose files do not fit together is refused") {
  const temporary_folder folder;
  put_set(folder);
  namespace fs = std::filesystem;

  folder.put("train-labels.idx1-ubyte", idx_labels_file(11));
  CHECK_REFUSED(read_mnist(folder.path()), "train-labels.idx1-ubyte: the number of labels is 11, but it must be");
  put_set(folder);
  folder.put("t10k-images.idx3-ubyte.gz", pack_gzip(idx_images_file(3, 5, 4)));
  CHECK_REFUSED(read_mnist(folder.path()), "the shape of the test images is 3 x 1 x 5 x 4");
  put_set(folder);
  fs::remove(folder / "t10k-labels-idx1-ubyte.gz");
  CHECK_REFUSED(read_mnist(folder.path()), "must have the file t10k-labels-idx1-ubyte (or with .gz), but has not");
  CHECK_REFUSED(read_mnist(folder / "none"), "none must have the file train-labels-idx1-ubyte");
}

TEST_CASE("an IDX file cut anywhere, lengthened or damaged is refused") {
  const temporary_folder folder;
  const std::string whole = idx_images_file(2, 3, 4);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CHECK_REFUSED(read_idx_images(folder.put("cut", whole.substr(0, length))), "cut: the ");
    CHECK_REFUSED(read_idx_images(folder.put("cut", pack_gzip(whole.substr(0, length)))), "cut: the ");
  }
  CHECK_REFUSED(read_idx_images(folder.put("long", whole + "x")), "long: the shape is 2 x 3 x 4");
  std::string packed = pack_gzip(whole);
  packed[packed.size() - 6] = static_cast<char>(packed[packed.size() - 6] ^ 1);
  CHECK_REFUSED(read_idx_images(folder.put("bad.gz", packed)), "bad.gz: the gzip stream is damaged");
  CHECK_REFUSED(read_idx_images(folder / "none"), "none cannot be read: No such file or directory");
}

TEST_CASE("IDX headers that lie are refused before anything is allocated for them") {
  const temporary_folder folder;
  const auto images = [&](const std::string& content) {
    return refusal([&] { read_idx_images(folder.put("bad", content)); });
  };
  using Catch::Matchers::ContainsSubstring;
  const std::string data(24, 'x');
  CHECK_THAT(images(idx_words({0x801, 2, 3, 4}) + data),
             ContainsSubstring("bad: the magic number is 2049, but it must be 2051"));
  CHECK_THAT(images(idx_words({0xD03, 2, 3, 4}) + data), ContainsSubstring("the magic number is 3331"));
  CHECK_THAT(images(idx_words({0, 3, 4}) + data), ContainsSubstring("the magic number is 0"));
  CHECK_THAT(images(idx_words({0x803, 0, 28, 28})), ContainsSubstring("the shape is 0 x 28 x 28"));
  CHECK_THAT(images(idx_words({0x803, 2, 0, 4})), ContainsSubstring("the shape is 2 x 0 x 4"));
  CHECK_THAT(images(idx_words({0x803, 2, 3, 5}) + data), ContainsSubstring("the shape is 2 x 3 x 5"));
  CHECK_THAT(images(idx_words({0x803, 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu}) + data), ContainsSubstring("4294967295"));
  // 2^22 * 2^21 * 2^21 = 2^64 wraps to 0 if it is multiplied without care.
  CHECK_THAT(images(idx_words({0x803, 1u << 22, 1u << 21, 1u << 21})), ContainsSubstring("4194304 x 2097152"));
  CHECK_REFUSED(read_idx_labels(folder.put("l", idx_words({0x801, 2}) + "\x03\x0A")),
                "l: a label is 10, but it must be below 10");
  CHECK_REFUSED(read_idx_labels(folder.put("l", idx_words({0x803, 2}) + "\x03\x01")), "l: the magic number is 2051");
  CHECK_REFUSED(read_idx_labels(folder.put("l", idx_words({0x801, 3}) + "\x03\x01")), "l: the shape is 3");
}

TEST_CASE("a packed IDX file is unpacked no further than its header allows") {
  const temporary_folder folder;
  // A hundred thousand bytes follow the twenty-four that the header names; they would unpack if nobody stopped them.
  const std::string bomb = idx_images_file(2, 3, 4) + std::string(100'000, '\0');
  CHECK_REFUSED(read_idx_images(folder.put("a.gz", pack_gzip(bomb))),
                "a.gz: the unpacked size is over the limit, but it must be at most 40 bytes");
  CHECK_REFUSED(read_idx_labels(folder.put("a.gz", pack_gzip(bomb))), "a.gz: the magic number is 2051");
}

TEST_CASE("a folder named like a file of MNIST does not hide the file beside it") {
  const temporary_folder folder;
  namespace fs = std::filesystem;
  // As Kaggle's copy is laid out.
  for (const std::string part : {"train", "t10k"}) {
    folder.put(part + "-images.idx3-ubyte", idx_images_file(3, 4, 5));
    folder.put(part + "-labels.idx1-ubyte", idx_labels_file(3));
    for (const std::string& file : {part + "-images-idx3-ubyte", part + "-labels-idx1-ubyte"}) {
      fs::create_directory(folder / file);
      folder.put(file + "/" + file, "not read");
    }
  }
  const auto data = read_mnist(folder.path());
  CHECK(data.training.extent() == softscore::shape{3, 1, 4, 5});
  CHECK(data.test.labels == std::vector<softscore::class_label>{0, 1, 2});

  fs::remove(folder / "t10k-labels.idx1-ubyte");
  CHECK_REFUSED(read_mnist(folder.path()), "must have the file t10k-labels-idx1-ubyte (or with .gz), but has not");
}

TEST_CASE("a packed IDX file is read whatever the lengths of its members") {
  const temporary_folder folder;
  const std::string whole = idx_images_file(2, 3, 4);
  const auto images = read_idx_images(folder.put("plain", whole));
  for (const std::size_t first : {0u, 1u, 15u, 16u, 20u}) {
    const auto path = folder.put("a.gz", pack_gzip(whole.substr(0, first)) + pack_gzip(whole.substr(first)));
    CHECK((read_idx_images(path) == images));
  }
  const std::string labels = idx_labels_file(4);
  CHECK(read_idx_labels(folder.put("b.gz", pack_gzip("") + pack_gzip(labels))) ==
        std::vector<softscore::class_label>{0, 1, 2, 3});
}
