#include <softscore/data/image_folder.hpp>

#include <cstddef>
#include <filesystem>
#include <string>

#include "catch.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using softscore::find_images;
using softscore::make_tensor;
using softscore::read_image_folder;

namespace {

softscore::image_batch flat(std::size_t channels, std::size_t height, std::size_t width, int gray) {
  auto image = make_tensor({1, channels, height, width});
  image.fill(static_cast<float>(gray) / 255.0f);
  return image;
}

}  // namespace

TEST_CASE("a folder of PNG files is read in the order of their names, and other files are left alone") {
  const temporary_folder folder;
  softscore::write_png(folder / "b.png", flat(3, 4, 5, 20));
  softscore::write_png(folder / "a.PNG", flat(3, 4, 5, 10));
  softscore::write_png(folder / "c.png", flat(3, 4, 5, 30));
  folder.put("notes.txt", "no picture");
  std::filesystem::create_directory(folder / "inner");
  const auto images = read_image_folder(folder.path());
  REQUIRE(softscore::extent_of(images) == softscore::shape{3, 3, 4, 5});
  for (std::size_t i = 0; i < 3; ++i) CHECK(images(i, 2, 3, 4) == static_cast<float>(10 * (i + 1)) / 255.0f);
}

TEST_CASE("a folder without equal images is refused") {
  const temporary_folder folder;
  CHECK_REFUSED(read_image_folder(folder.path()), "must have PNG files, but has none");
  CHECK_REFUSED(read_image_folder(folder / "none"), "none cannot be read: No such file or directory");
  softscore::write_png(folder / "a.png", flat(3, 4, 5, 10));
  softscore::write_png(folder / "b.png", flat(3, 5, 4, 10));
  CHECK_REFUSED(read_image_folder(folder.path()), "b.png: the shape is 1 x 3 x 5 x 4, but it must be that of a.png");
  softscore::write_png(folder / "b.png", flat(1, 4, 5, 10));
  CHECK_REFUSED(read_image_folder(folder.path()), "b.png: the shape is 1 x 1 x 4 x 5");
  folder.put("b.png", "no picture");
  CHECK_REFUSED(read_image_folder(folder.path()), "b.png: the content is not an image");
}

TEST_CASE("hidden files, AppleDouble files and folders named like images are skipped and counted") {
  const temporary_folder folder;
  namespace fs = std::filesystem;
  softscore::write_png(folder / "a.png", flat(3, 4, 5, 10));
  softscore::write_png(folder / "b.png", flat(3, 4, 5, 20));
  softscore::write_png(folder / ".hidden.png", flat(1, 2, 2, 30));
  folder.put("._a.png", std::string{"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", 16});  // how AppleDouble begins
  folder.put("._notes.txt", "not named like an image, so not counted");
  fs::create_directory(folder / "z.png");
  fs::create_directory_symlink("z.png", folder / "link.png");
  const auto found = find_images(folder.path());
  CHECK(found.files == std::vector<fs::path>{folder / "a.png", folder / "b.png"});
  CHECK(found.skipped == 4);
  const auto images = read_image_folder(folder.path());
  CHECK(softscore::extent_of(images) == softscore::shape{2, 3, 4, 5});
  CHECK((read_image_folder(found) == images));

  fs::remove(folder / "a.png");
  fs::remove(folder / "b.png");
  CHECK_REFUSED(read_image_folder(folder.path()), "must have PNG files, but has none (4 hidden or a folder)");
}

TEST_CASE("a link to an image is followed, and one to nothing is refused, not skipped") {
  const temporary_folder folder;
  std::filesystem::create_directory(folder / "inner");
  softscore::write_png(folder / "inner/a.png", flat(1, 2, 2, 10));
  std::filesystem::create_symlink("inner/a.png", folder / "a.png");
  CHECK(softscore::extent_of(read_image_folder(folder.path())) == softscore::shape{1, 1, 2, 2});
  std::filesystem::create_symlink("none", folder / "b.png");
  CHECK(find_images(folder.path()).skipped == 0);
  CHECK_REFUSED(read_image_folder(folder.path()), "b.png cannot be read: No such file or directory");
}
