package a;
class A { private int x; protected void p() { } }
