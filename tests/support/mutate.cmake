# cmake -DFROM=<file> -DTO=<file> -P mutate.cmake
# A copy of bpf/session_table.h whose reader takes no second look at version and key. Fails when
# the text to take out is not there, so that it cannot silently test the sound header.
file(READ ${FROM} text)
set(second_look "    if ((before ^ after) & BSC_B_VERSION_MASK)
        return 0\;
    if (!bsc_key_is(way, key, words))
        return 0\;
")
string(REPLACE "\\;" ";" second_look "${second_look}")
string(FIND "${text}" "${second_look}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "${FROM}: the reader's second look is not where the mutation expects it")
endif()
string(REPLACE "${second_look}" "" mutant "${text}")
file(WRITE ${TO} "${mutant}")
