// @benign filesystem_ops.cpp
// @what std::filesystem: copies, links, permissions, times, sizes, relative and canonical paths, error codes instead of exceptions, a name in UTF-8
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=copy/a/ copy/a/b/ copy/a/b/žluť.txt=5 copy/a/one.txt=3 copy/soft=3 copy/two=2 copy/zwei=2 \nlinks 2, soft to "a/one.txt", same file 1\n400 1000, a day earlier 1\n"b" ../copy/a/b "y.tar"".gz"\n1 01 1\n8 "/tmp" 1 1
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <vector>
namespace fs = std::filesystem;

static void put(const fs::path &p, const std::string &text) { std::ofstream(p) << text; }

int main()
{
    fs::create_directories("tree/a/b");
    put("tree/a/one.txt", "one"), put("tree/a/b/žluť.txt", "kůň"), put("tree/two", "22");
    fs::copy("tree", "copy", fs::copy_options::recursive);
    fs::create_symlink("a/one.txt", "copy/soft");
    fs::create_hard_link("copy/two", "copy/zwei");
    std::vector<std::string> names;
    for (auto &e : fs::recursive_directory_iterator("copy")) names.push_back(e.path().generic_string()
        + (e.is_directory() ? "/" : "=" + std::to_string(e.file_size())));
    std::sort(names.begin(), names.end());
    for (auto &n : names) std::cout << n << ' ';
    std::cout << "\nlinks " << fs::hard_link_count("copy/two") << ", soft to " << fs::read_symlink("copy/soft")
        << ", same file " << fs::equivalent("copy/two", "copy/zwei") << '\n';
    fs::permissions("copy/two", fs::perms::owner_read);
    std::cout << std::oct << static_cast<int>(fs::status("copy/two").permissions()) << std::dec;
    fs::resize_file("copy/a/one.txt", 1000), fs::rename("copy/a/one.txt", "copy/moved");
    auto t = fs::last_write_time("copy/moved");
    fs::last_write_time("copy/moved", t - std::chrono::hours(24));
    std::cout << ' ' << fs::file_size("copy/moved") << ", a day earlier "
        << (t - fs::last_write_time("copy/moved") == std::chrono::hours(24)) << '\n';
    std::cout << fs::canonical("copy/a/../a/b/.").filename() << ' ' << fs::relative("copy/a/b",
        "tree").generic_string() << ' ' << fs::path("x/y.tar.gz").stem() << fs::path("x/y.tar.gz").extension() << '\n';
    std::error_code e;
    fs::copy_file("nowhere", "x", e);
    std::cout << (e == std::errc::no_such_file_or_directory) << ' ' << fs::exists("copy/soft")
        << fs::is_symlink("copy/soft") << ' ';
    try {
        fs::create_directory("tree/two/x");
    } catch (const fs::filesystem_error &x) {
        std::cout << (x.code() == std::errc::not_a_directory) << '\n';
    }
    std::cout << fs::remove_all("copy") << ' ' << fs::temp_directory_path() << ' ' << fs::current_path().is_absolute()
        << ' ' << (fs::space(".").available > 0) << '\n';
}
