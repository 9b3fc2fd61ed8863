// Which way up a picture is, where a PNG tells it in a text chunk, as older tools do.
#pragma once

#include <string_view>
#include <vector>

#include "../span.h"
#include "arena.h"

namespace pv {

// Fills `exif` from ImageMagick's "Raw profile type exif", unless an eXIf chunk did, and `xmp`
// from an XMP packet. Other texts are passed over.
void read_text(std::string_view kind, Bytes body, Arena& arena, std::vector<unsigned char>& exif,
               std::vector<unsigned char>& xmp);

}  // namespace pv
