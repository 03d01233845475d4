# cmake/AccelerateInstall.cmake: what `cmake --install` puts where.
