# What `cmake --install` puts where, by the names of GNUInstallDirs. Systemd and the shells look in
# places of their own, whatever the prefix of a distribution is called.
include(GNUInstallDirs)
set(BASCULE_UNIT_DIR ${CMAKE_INSTALL_PREFIX}/lib/systemd/system
    CACHE PATH "Where units of systemd go")

install(TARGETS bascule-cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS basculed bascule-backend RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})

install(DIRECTORY etc/ DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/bascule)
install(DIRECTORY DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/bascule/conf.d)

file(GLOB units CONFIGURE_DEPENDS packaging/systemd/*.service packaging/systemd/*.socket)
install(FILES ${units} DESTINATION ${BASCULE_UNIT_DIR})
install(FILES packaging/systemd/sysusers.conf
        DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/sysusers.d RENAME bascule.conf)

file(GLOB pages CONFIGURE_DEPENDS docs/man/*.[1-8])
foreach(page ${pages})
  string(REGEX MATCH "[1-8]$" section ${page})
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

# bash: NAME.bash as NAME. zsh: _NAME.
file(GLOB completions CONFIGURE_DEPENDS cli/completion/*.bash backend/completion/*.bash)
foreach(completion ${completions})
  get_filename_component(name ${completion} NAME_WE)
  install(FILES ${completion} RENAME ${name}
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endforeach()
file(GLOB completions CONFIGURE_DEPENDS cli/completion/_* backend/completion/_*)
install(FILES ${completions} DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)

install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} PATTERN man EXCLUDE)
