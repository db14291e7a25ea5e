// @benign files_binary.cpp
// @what fstream: binary records, seeking in both directions, append, truncate, failing to open, 5 MB written and read back, rdbuf copy
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=42 21 rec at 688, last 1000, size 1600\n2 lines, missing 01\nsame 1 5242880
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

struct Record { std::uint32_t id; float weight; char name[8]; };

int main()
{
    std::fstream f("records", std::ios::in | std::ios::out | std::ios::binary | std::ios::trunc);
    for (std::uint32_t i = 0; i < 100; i++) {
        Record r{i, i * 0.5f, "rec"};
        f.write(reinterpret_cast<char *>(&r), sizeof r);
    }
    Record r{};
    f.seekg(42 * sizeof r);
    f.read(reinterpret_cast<char *>(&r), sizeof r);
    std::cout << r.id << ' ' << r.weight << ' ' << r.name << " at " << f.tellg();
    r.id = 1000;
    f.seekp(-static_cast<int>(sizeof r), std::ios::end);
    f.write(reinterpret_cast<char *>(&r), sizeof r).flush();
    f.seekg(99 * sizeof r).read(reinterpret_cast<char *>(&r), sizeof r);
    std::cout << ", last " << r.id << ", size " << f.seekg(0, std::ios::end).tellg() << '\n';
    { std::ofstream("log") << "one\n"; std::ofstream("log", std::ios::app) << "two\n"; }
    std::ifstream log("log"), missing("no/such/file");
    std::cout << std::distance(std::istream_iterator<std::string>(log), {}) << " lines, missing " << missing.is_open()
        << missing.fail() << '\n';
    std::vector<char> block(5 << 20);
    for (std::size_t i = 0; i < block.size(); i++) block[i] = static_cast<char>(i * 31 >> 3);
    { std::ofstream("big", std::ios::binary).write(block.data(), block.size()); }
    std::ifstream big("big", std::ios::binary);
    std::ostringstream copy;
    copy << big.rdbuf();
    std::cout << "same " << (copy.str() == std::string(block.begin(), block.end())) << ' ' << copy.str().size() << '\n';
}
