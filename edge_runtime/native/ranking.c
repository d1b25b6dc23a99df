/* The best of a model's scores, best first. */

#include "core.h"

/* Moves a score to its place among the `found` best; of equal ones the lower index stays in front. */
static void insert(const float *scores, ptrdiff_t *best, ptrdiff_t found, ptrdiff_t index) {
    while (found > 0 && scores[best[found - 1]] < scores[index]) {
        best[found] = best[found - 1];
        found--;
    }
    best[found] = index;
}

ptrdiff_t core_best(const float *scores, ptrdiff_t size, ptrdiff_t count, ptrdiff_t *best) {
    ptrdiff_t found = 0;
    for (ptrdiff_t index = 0; index < size; index++) {
        if (!__builtin_isfinite(scores[index]))
            return -1;
        if (found < count)
            insert(scores, best, found++, index);
        else if (count > 0 && scores[best[count - 1]] < scores[index])
            insert(scores, best, count - 1, index);
    }
    return found;
}
