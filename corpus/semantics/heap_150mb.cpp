// @benign heap_150mb.cpp
// @what 150 MB in containers: a reserved vector, a deque that grows, a million-node map, given back in between
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=39321600 1 773094093619200\n300000 la\n600000 -599999 600000 1
#include <deque>
#include <iostream>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

int main()
{
    {
        std::vector<int> v;
        v.reserve(150 * 262144);
        for (int i = 0; i < 150 * 262144; i++) v.push_back(i);
        long sum = 0;
        for (int x : v) sum += x;
        std::cout << v.size() << ' ' << (v.capacity() == v.size()) << ' ' << sum << '\n';
    }
    {
        std::deque<std::string> d;
        for (int i = 0; i < 300000; i++) d.push_back(std::string(450, static_cast<char>('a' + i % 26)));
        std::cout << d.size() << ' ' << d[299999][449] << d.front()[0] << '\n';
    }
    std::map<int, int> m;
    for (int i = 0; i < 600000; i++) m.emplace_hint(m.end(), i, -i);
    std::unordered_set<int> s(2000000);
    for (int i = 0; i < 600000; i++) s.insert(i * 7);
    std::cout << m.size() << ' ' << m.rbegin()->second << ' ' << s.size() << ' ' << s.count(4199993) << '\n';
}
