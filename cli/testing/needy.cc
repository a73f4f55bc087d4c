// A shared library that plan_job can be made to need, for tests of bundles and of missing libraries.
extern "C" int PenstockNeedy() { return 1; }
