// The program's locale changes no file, and no file is read otherwise under it.
#include "catch.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include <softscore/io/npy.hpp>
#include <softscore/io/png.hpp>
#include <softscore/io/safetensors.hpp>

#include "foreign_locale.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using namespace softscore;

TEST_CASE("files are the same in every locale") {
  // More than a thousand of everything that is counted in a header.
  const temporary_folder folder;
  auto images = make_tensor({1500, 1, 1, 2000});
  for (std::size_t i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(i % 97) / 96.0f;
  auto picture = make_tensor({1, 1, 2, 3000});
  for (std::size_t i = 0; i < picture.size(); ++i) picture.data()[i] = static_cast<float>(i % 256) / 255.0f;
  const std::vector<float> halves(2400, 0.5f);
  const std::vector<named_tensor> tensors{{"w", {1200, 2}, halves}};
  const auto write = [&](const std::string& name) {
    write_npy(folder / (name + ".npy"), images);
    write_png(folder / (name + ".png"), picture);
    write_safetensors(folder / (name + ".safetensors"), tensors, {{"steps", "1234.5"}});
  };
  write("usual");
  const foreign_locale german;
  write("german");
  for (const char* const kind : {".npy", ".png", ".safetensors"})
    CHECK((content_of(folder / (std::string{"usual"} + kind)) == content_of(folder / (std::string{"german"} + kind))));
  CHECK((read_npy(folder / "usual.npy") == images));
  CHECK((read_png(folder / "usual.png") == picture));
  CHECK((read_safetensors(folder / "usual.safetensors").tensor<float>("w") == halves));
  CHECK_REFUSED(read_npy(folder.put("cut.npy", content_of(folder / "usual.npy").substr(0, 5000))),
                "the shape is 1500 x 1 x 1 x 2000");
}
