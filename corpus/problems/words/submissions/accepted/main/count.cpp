#include "count.hpp"

std::map<std::string, int> count(std::istream &in) {
    std::map<std::string, int> times;
    for (std::string word; in >> word;) times[word]++;
    return times;
}
