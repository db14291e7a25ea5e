// @benign deep_destruction.cpp
// @what a list of 500,000 unique_ptr nodes destroyed by recursion, and a recursive sum over it: tens of MB of stack, which 8 MB would not allow
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=sum 124999750000, destroyed 500000
#include <iostream>
#include <memory>

static long destroyed = 0;
struct Node {
    long value;
    std::unique_ptr<Node> next;
    ~Node() { next.reset(); destroyed++; }
};
__attribute__((noinline)) static long sum(const Node *n)
{
    volatile long own = n ? n->value : 0;  /* keeps a frame for every node */
    return n ? sum(n->next.get()) + own : 0;
}

int main()
{
    std::unique_ptr<Node> head;
    for (long i = 0; i < 500000; i++) head = std::unique_ptr<Node>(new Node{i, std::move(head)});
    long s = sum(head.get());
    head.reset();
    std::cout << "sum " << s << ", destroyed " << destroyed << '\n';
}
