# Two lanes take each other's query for their own.
s/const uint32_t first = odd ? other : mine, second = odd ? mine : other;/const uint32_t first = odd ? mine : other, second = odd ? other : mine;/
