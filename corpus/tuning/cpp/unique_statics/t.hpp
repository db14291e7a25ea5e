#pragma once
template <class V> struct T { static inline int n = 1; static int &instance() { static int i; return i; } static int *where() { return &instance(); } };
