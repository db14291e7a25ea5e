#include "mine.hpp"
int main() { say("hello"); say(3); }
