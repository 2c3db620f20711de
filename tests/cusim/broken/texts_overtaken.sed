# Texts are replaced before all lanes know which go on.
s/__syncwarp(); \/\/ the exchange.*//
