// SPDX-License-Identifier: Apache-2.0
#include "health/file_stamp.h"

#include <openssl/x509.h>
#include <sys/stat.h>

namespace bascule::health {

namespace {

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileStamp stamp_of(const char* path) {
    struct stat status {};
    if (::stat(path, &status) != 0) return {};
    return {status.st_dev, status.st_ino, status.st_size, nanoseconds(status.st_mtim),
            nanoseconds(status.st_ctim)};
}

}  // namespace

FileStamps stamps_of_files(const model::HealthConfig& options) {
    FileStamps stamps;
    if (options.type != model::ProbeType::https) return stamps;
    if (!options.ca.empty()) {
        stamps.push_back(stamp_of(options.ca.c_str()));
    } else {
        stamps.push_back(stamp_of(X509_get_default_cert_file()));
        stamps.push_back(stamp_of(X509_get_default_cert_dir()));
    }
    for (const auto& path : {options.certificate, options.key})
        if (!path.empty()) stamps.push_back(stamp_of(path.c_str()));
    return stamps;
}

}  // namespace bascule::health
