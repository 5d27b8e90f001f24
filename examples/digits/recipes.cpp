#include <array>

#include <softscore/core/error.hpp>

#include "model.hpp"

namespace digits {

std::span<const recipe_entry> all_recipes() {
  static const std::array all{ddpm_entry(), eraser_entry(), blur_entry(), mask_entry()};
  return all;
}

const recipe_entry& find_recipe(const std::string& name) {
  std::string names;
  for (const auto& entry : all_recipes()) {
    if (entry.name == name) return entry;
    names += (names.empty() ? "" : ", ") + std::string{entry.name};
  }
  softscore::reject("--recipe", name, "one of " + names);
}

}  // namespace digits
