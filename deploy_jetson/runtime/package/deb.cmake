# `cpack -G DEB` in the build folder makes personvit-runtime_VERSION_ARCHITECTURE.deb.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME personvit-runtime)
set(CPACK_PACKAGE_VENDOR "PersonViT-Edge")
set(CPACK_PACKAGE_CONTACT "PersonViT-Edge maintainers <maintainers@invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Person re-identification at the edge: runtime and programs")
set(CPACK_PACKAGE_DESCRIPTION "Opens verified PersonViT bundles, embeds crops of people and searches
 galleries: a library with a C interface, a CMake package, and pv-embed, pv-search and pv-bench.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
include(CPack)
