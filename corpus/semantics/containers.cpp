// @benign containers.cpp
// @what order and stability, iterators that stay valid, node handles, heterogeneous look-up, hints, heaps, list splicing
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=stable fig pear kiwi date apple banana\n0111 one\nlist 10 20 2\nstill valid 2, emptied 1\nbag 1 1 3 4 5\n2 5 3.6288e+06\n12 2 5 2
#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <list>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <string>
#include <string_view>
#include <vector>

template <class C> static void show(const char *what, const C &c) {
    std::cout << what;
    for (auto &x : c) std::cout << ' ' << x;
    std::cout << '\n';
}

int main()
{
    std::vector<std::string> words{"pear", "fig", "banana", "kiwi", "apple", "date"};
    std::stable_sort(words.begin(), words.end(), [](auto &a, auto &b) { return a.size() < b.size(); });
    show("stable", words);
    std::map<std::string, int, std::less<>> m{{"one", 1}, {"two", 2}, {"three", 3}};
    auto node = m.extract("two");
    node.key() = "zwei";
    auto [at, fresh] = m.try_emplace("one", 99);
    auto place = m.insert(std::move(node));
    std::cout << fresh << at->second << place.inserted << (m.find(std::string_view("zwei")) != m.end()) << ' '
        << m.begin()->first << '\n';
    std::list<int> a{1, 2, 3}, b{10, 20};
    auto two = std::next(a.begin());
    a.splice(two, b);
    a.remove_if([](int x) { return x % 2; });
    show("list", a);
    std::cout << "still valid " << *two << ", emptied " << b.empty() << '\n';
    std::priority_queue<int, std::vector<int>, std::greater<int>> heap;
    for (int x : {5, 1, 4, 1, 3}) heap.push(x);
    std::multiset<int> bag;
    for (; !heap.empty(); heap.pop()) bag.insert(heap.top());
    show("bag", bag);
    auto ones = bag.equal_range(1);
    std::array<int, 10> n;
    std::iota(n.begin(), n.end(), 1);
    std::rotate(n.begin(), n.begin() + 3, n.end());
    std::nth_element(n.begin(), n.begin() + 4, n.end());
    std::cout << std::distance(ones.first, ones.second) << ' ' << n[4] << ' ' << std::accumulate(n.begin(), n.end(),
        1.0, std::multiplies<>()) << '\n';
    std::string p = "aabc";
    int permutations = 1;
    while (std::next_permutation(p.begin(), p.end())) permutations++;
    std::set<int> x{1, 2, 3, 4}, y{3, 4, 5};
    std::vector<int> both;
    std::set_intersection(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(both));
    x.merge(y);
    std::cout << permutations << ' ' << both.size() << ' ' << x.size() << ' ' << y.size() << '\n';
}
