#include <string>

#include <softscore/backend/cuda/device.cuh>

std::string why_no_device() {
  try {
    const softscore::cuda_device probe{0};
    return "";
  } catch (const softscore::error& reason) {
    return reason.what();
  }
}
