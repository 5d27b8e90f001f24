#pragma once

/// Whether asking for more memory than there is ends in std::bad_alloc: the sanitizers end the program instead.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool memory_can_be_refused = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
inline constexpr bool memory_can_be_refused = false;
#else
inline constexpr bool memory_can_be_refused = true;
#endif
#else
inline constexpr bool memory_can_be_refused = true;
#endif
