template <typename T> static T square(T x) { return x * x; }
extern "C" int from_cpp(int x) { return square(x); }
