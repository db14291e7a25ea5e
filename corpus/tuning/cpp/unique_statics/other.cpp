#include "t.hpp"
int other() { return ++T<int>::n; }
