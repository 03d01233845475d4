# cmake/AccelerateInstall.cmake: what `cmake --install` puts where, and the
# package that find_package(accelerate) reads.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/accelerate)

get_property(libraries GLOBAL PROPERTY ACCELERATE_LIBRARIES)
install(TARGETS ${libraries} EXPORT accelerateTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS accelerate_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET accelerate_documents)
  set(documents ${PROJECT_BINARY_DIR}/cli/documents)
  install(FILES ${documents}/bash RENAME accelerate
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${documents}/zsh RENAME _accelerate
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${documents}/fish RENAME accelerate.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
  install(FILES ${documents}/man RENAME accelerate.1
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
install(DIRECTORY accelerate DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h"
  PATTERN "*_impl.h" EXCLUDE
  PATTERN "config_file*.h" EXCLUDE # of the program alone
  PATTERN "gloo_headers" EXCLUDE)
install(EXPORT accelerateTargets NAMESPACE accelerate:: DESTINATION ${package_dir})

configure_package_config_file(cmake/accelerateConfig.cmake.in
  ${PROJECT_BINARY_DIR}/accelerateConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/accelerateConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/accelerateConfig.cmake
  ${PROJECT_BINARY_DIR}/accelerateConfigVersion.cmake
  cmake/FindLibtorch.cmake
  DESTINATION ${package_dir})
