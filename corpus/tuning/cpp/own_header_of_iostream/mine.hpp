#pragma once
#include <iostream>
inline void say(const std::string &s) { std::cout << s << "\n"; }
