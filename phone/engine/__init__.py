"""The files by others: LiteRT.js and a JPEG decoder, by npm or from a folder, each checked against a pinned hash."""
