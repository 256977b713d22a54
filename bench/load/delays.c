/* Delays in buckets: 32 to each power of two, so that a value is known to 3 %. */
#include "load.h"

enum { BITS = 5 };

void addDelay(Delays *delays, uint64_t nanoseconds) {
  int power = nanoseconds >> BITS ? 63 - __builtin_clzll(nanoseconds) - BITS : 0;
  size_t bucket = ((size_t)power << BITS) + (nanoseconds >> power);
  delays->buckets[bucket] += 1;
  delays->count += 1;
  if (nanoseconds > delays->max) delays->max = nanoseconds;
}

/* The upper end of the bucket in which the value of this rank is. */
double delayAt(const Delays *delays, double share) {
  uint64_t rank = (uint64_t)(share * (double)delays->count), seen = 0;
  for (size_t bucket = 0; bucket < sizeof delays->buckets / sizeof *delays->buckets; bucket += 1) {
    seen += delays->buckets[bucket];
    if (seen <= rank) continue;
    size_t power = bucket < 2 << BITS ? 0 : (bucket >> BITS) - 1;
    uint64_t top = (bucket - (power << BITS) + 1) << power;
    return (double)(top < delays->max ? top : delays->max) / 1e6;
  }
  return (double)delays->max / 1e6;
}
