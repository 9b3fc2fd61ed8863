// Which way up a picture is, from its EXIF block or its XMP packet; 1 where neither tells.
#pragma once

#include "../span.h"

namespace pv {

// `exif` as it stands in the file, with or without its "Exif" mark. As in Python, an EXIF block
// that cannot be read counts as none, and XMP is asked only where a readable one has no say.
int orientation(Bytes exif, Bytes xmp);

}  // namespace pv
