// @benign random_engines.cpp
// @what engines give the numbers that the standard prescribes, their state survives text, seed_seq is fixed, random_device differs each time
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=4123659995 9981545732273789042 399268537 1043618065\nsame after text 1, seed_seq 1, shuffle keeps all 1\nmean near 0.5 1, devices differ 1
#include <algorithm>
#include <iostream>
#include <numeric>
#include <random>
#include <set>
#include <sstream>
#include <vector>

template <class E> static typename E::result_type ten_thousandth() { E e; e.discard(9999); return e(); }

int main()
{
    std::cout << ten_thousandth<std::mt19937>() << ' ' << ten_thousandth<std::mt19937_64>() << ' '
        << ten_thousandth<std::minstd_rand>() << ' ' << ten_thousandth<std::minstd_rand0>() << '\n';
    std::mt19937 a(2024), b;
    a.discard(1234);
    std::stringstream s;
    s << a;
    s >> b;
    bool same = a == b && a() == b();
    std::seed_seq q1{1, 2, 3}, q2{1, 2, 3};
    std::mt19937 c(q1), d(q2);
    std::vector<int> v(1000), w;
    std::iota(v.begin(), v.end(), 0);
    w = v;
    std::shuffle(w.begin(), w.end(), a);
    bool mixed = w != v;
    std::sort(w.begin(), w.end());
    std::cout << "same after text " << same << ", seed_seq " << (c() == d()) << ", shuffle keeps all "
        << (mixed && w == v) << '\n';
    std::uniform_real_distribution<double> u;
    double sum = 0;
    for (int i = 0; i < 100000; i++) sum += u(a);
    std::random_device device;
    std::set<unsigned> seen;
    for (int i = 0; i < 100; i++) seen.insert(device());
    std::cout << "mean near 0.5 " << (sum > 49000 && sum < 51000) << ", devices differ " << (seen.size() > 95) << '\n';
}
