#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include <softscore/io/atomic_file.hpp>

#include "catch.hpp"
#include "file_size_limit.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

namespace fs = std::filesystem;
using softscore::atomic_file;
using softscore::write_file;

namespace {

// What flock, and fsync of a folder, fail with in this program; 0 while they work.
int flock_failure = 0, folder_sync_failure = 0;

class failing {
 public:
  failing(int& call, int reason) : call_{call} { call_ = reason; }
  failing(const failing&) = delete;
  failing& operator=(const failing&) = delete;
  ~failing() { call_ = 0; }

 private:
  int& call_;
};

}  // namespace

// These stand in for the C library's, as on a file system that has none.
extern "C" int flock(int file, int operation) noexcept {
  if (flock_failure == 0) return static_cast<int>(::syscall(SYS_flock, file, operation));
  errno = flock_failure;
  return -1;
}
extern "C" int fsync(int file) {
  struct stat about{};
  if (folder_sync_failure == 0 || ::fstat(file, &about) != 0 || !S_ISDIR(about.st_mode))
    return static_cast<int>(::syscall(SYS_fsync, file));
  errno = folder_sync_failure;
  return -1;
}

TEST_CASE("a written file appears whole, alone, and replaces the older one") {
  const temporary_folder folder;
  write_file(folder / "a", "first");
  CHECK(content_of(folder / "a") == "first");
  write_file(folder / "a", "second and longer");
  CHECK(content_of(folder / "a") == "second and longer");
  write_file(folder / "empty", "");
  CHECK(fs::file_size(folder / "empty") == 0);
  CHECK(folder.entries() == 2);
}

TEST_CASE("a relative path without a folder is written in the current one") {
  const temporary_folder folder;
  const auto before = fs::current_path();
  fs::current_path(folder.path());
  write_file("plain", "text");
  fs::current_path(before);
  CHECK(content_of(folder / "plain") == "text");
}

TEST_CASE("nothing shows before commit, and nothing stays without it") {
  const temporary_folder folder;
  write_file(folder / "a", "old");
  {
    atomic_file file{folder / "a"};
    file.write("new");
    CHECK(content_of(folder / "a") == "old");
    CHECK(folder.entries() == 2);
  }
  CHECK(content_of(folder / "a") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("what a killed writer left is taken over, but a living one is not disturbed") {
  const temporary_folder folder;
  folder.put(".a.partial", "half of a very much longer file");
  write_file(folder / "a", "whole");
  CHECK(content_of(folder / "a") == "whole");
  CHECK(folder.entries() == 1);

  atomic_file first{folder / "a"};
  first.write("mine");
  CHECK_REFUSED(atomic_file{folder / "a"}, "a cannot be written: another writer is at work on it");
  first.commit();
  CHECK(content_of(folder / "a") == "mine");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a link is followed and permissions are kept") {
  const temporary_folder folder;
  write_file(folder / "real", "old");
  fs::permissions(folder / "real", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("real", folder / "link");
  write_file(folder / "link", "new");
  CHECK(fs::is_symlink(folder / "link"));
  fs::create_symlink("not yet", folder / "early");
  write_file(folder / "early", "new");
  CHECK(fs::is_symlink(folder / "early"));
  CHECK(fs::is_regular_file(folder / "not yet"));
  CHECK(content_of(folder / "real") == "new");
  CHECK(fs::status(folder / "real").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("what cannot be written is named with the system's reason") {
  const temporary_folder folder;
  folder.put("file", "x");
  CHECK_REFUSED(write_file(folder.path(), "x"), "cannot be written: Is a directory");
  CHECK_REFUSED(write_file(folder / "none/a", "x"), "none/a cannot be written: No such file or directory");
  CHECK_REFUSED(write_file(folder / "file/a", "x"), "file/a cannot be written: Not a directory");
  CHECK_REFUSED(write_file(folder / std::string(300, 'n'), "x"), "cannot be written: File name too long");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a full device gives the reason and stays a device") {
  CHECK_REFUSED(write_file("/dev/full", "x"), "/dev/full cannot be written: No space left on device");
  CHECK(fs::is_character_file("/dev/full"));
}

TEST_CASE("a disk that ends in the middle of a file leaves the old file and nothing else") {
  const temporary_folder folder;
  write_file(folder / "a", "old");
  std::string sentence;
  {
    // The limit on file sizes stands in for the disk: the same failing write, without a disk to fill.
    const file_size_limit full{4096};
    sentence = refusal([&] { write_file(folder / "a", std::string(100'000, 'x')); });
  }
  CHECK_THAT(sentence, Catch::Matchers::ContainsSubstring("a cannot be written: File too large"));
  CHECK(content_of(folder / "a") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a file system without flock is written all the same, whole or not at all") {
  for (const int reason : {ENOSYS, ENOTSUP, EINVAL, ENOLCK}) {
    const temporary_folder folder;
    const failing none{flock_failure, reason}, unsynced{folder_sync_failure, reason};
    write_file(folder / "a", "first");
    write_file(folder / "a", "second");
    CHECK(content_of(folder / "a") == "second");
    CHECK(folder.entries() == 1);

    folder.put(".a.partial", "left by a killed writer");
    {
      atomic_file one{folder / "a"};
      atomic_file other{folder / "a"};
      one.write("one");
      other.write("the other");
      other.commit();
      CHECK(content_of(folder / "a") == "the other");
      one.commit();
      CHECK(content_of(folder / "a") == "one");
      const atomic_file dropped{folder / "a"};
    }
    CHECK(content_of(folder / "a") == "one");
    CHECK(folder.entries() == 2);
  }
}

TEST_CASE("a lock or a sync of the folder that fails for another reason is named with it") {
  const temporary_folder folder;
  {
    const failing broken{flock_failure, EIO};
    CHECK_REFUSED(write_file(folder / "a", "x"), "a cannot be written: Input/output error");
  }
  const failing broken{folder_sync_failure, EIO};
  CHECK_REFUSED(write_file(folder / "a", "x"), "a cannot be written: Input/output error");
}

TEST_CASE("names up to the file system's limit are written, and longer ones refused before anything is") {
  const temporary_folder folder;
  for (const std::size_t length : {246u, 247u, 254u, 255u}) {
    const std::string name(length, 'n');
    write_file(folder / name, "first");
    write_file(folder / name, "second");
    CHECK(content_of(folder / name) == "second");
    atomic_file first{folder / name};
    CHECK_REFUSED(atomic_file{folder / name}, "another writer is at work on it");
  }
  CHECK_REFUSED(atomic_file{folder / std::string(256, 'n')}, "cannot be written: File name too long");
  CHECK(folder.entries() == 4);

  const failing none{flock_failure, ENOSYS};
  write_file(folder / std::string(255, 'm'), "text");
  CHECK(folder.entries() == 5);
}

TEST_CASE("a neighbor's name fits the limit and differs where names do") {
  CHECK(softscore::detail::partial_name("a", 255) == ".a.partial");
  CHECK(softscore::detail::partial_name(std::string(246, 'n'), 255) == "." + std::string(246, 'n') + ".partial");
  // The published value of FNV-1a for the text "foobar".
  CHECK(softscore::detail::partial_name("foobar", 10) == ".85944171f73967e8.partial");
}
