#include "record.hpp"

#include <softscore/core/number_text.hpp>

namespace common {

std::string loss_table(const training_record& record, std::size_t steps_per_epoch) {
  std::string text = "step,epoch,loss,test_loss\n";
  for (std::size_t i = 0; i < record.losses.size(); ++i) {
    const std::size_t epoch = i / steps_per_epoch;
    text += std::to_string(i + 1) + ',' + std::to_string(epoch + 1) + ',' +
            softscore::detail::rounded(static_cast<double>(record.losses[i]), 9) + ',';
    if ((i + 1) % steps_per_epoch == 0 && epoch < record.test_losses.size())
      text += softscore::detail::rounded(record.test_losses[epoch], 9);
    text += '\n';
  }
  return text;
}

}  // namespace common
