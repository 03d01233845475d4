// benchmarks/empty_program.cpp: a rank that does nothing.
int main() {}
