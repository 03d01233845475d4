"""tools/golden/permutation.py: prints orders of accelerate/data/permutation.h.

A second implementation of the definition, in plain integers, so that the
numbers in tests/unit/data/permutation_test.cpp do not come from our own code.
Run: python3 tools/golden/permutation.py
"""

MASK = (1 << 64) - 1


def mix(value):
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


class SplitMix64:
    def __init__(self, state):
        self.state = state & MASK

    def bits(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        return mix(self.state)

    def below(self, bound):
        """Lemire's unbiased draw from the upper 32 bits."""
        while True:
            product = (self.bits() >> 32) * bound
            if product % (1 << 32) >= (1 << 32) % bound:
                return product >> 32


def keyed(seed, epoch):
    first = SplitMix64(seed).bits() ^ epoch
    return SplitMix64(SplitMix64(first).bits())


def table(size, seed, epoch):
    bits = keyed(seed, epoch)
    items = list(range(size))
    for last in range(size, 1, -1):
        other = bits.below(last)
        items[last - 1], items[other] = items[other], items[last - 1]
    return items


def feistel(size, seed, epoch, positions):
    stream = keyed(seed, epoch)
    keys = [stream.bits() for _ in range(8)]
    width = (size - 1).bit_length()

    def encrypt(value):
        left_bits, right_bits = width // 2, width - width // 2
        left, right = value >> right_bits, value % (1 << right_bits)
        for key in keys:
            left, right = right, (left ^ mix(right ^ key)) % (1 << left_bits)
            left_bits, right_bits = right_bits, left_bits
        return (left << right_bits) | right

    for position in positions:
        value = encrypt(position)
        while value >= size:
            value = encrypt(value)
        yield value


if __name__ == "__main__":
    print(table(10, 42, 3))
    print(list(feistel(1_000_000, 42, 3, range(8))))
