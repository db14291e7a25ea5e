// @benign uncaught_what.cpp
// @what vector::at beyond the end, in a thread, not caught: the whole program ends with SIGABRT and says index and size
// @limits cpu=5 wall=10
// @expect signal=SIGABRT
// @expect stderr=__n (which is 7) >= this->size() (which is 3)
#include <thread>
#include <vector>

int main()
{
    std::vector<int> v{1, 2, 3};
    std::thread t([&] { v.at(v.size() + 4)++; });
    t.join();
}
