#!/bin/sh
# Every receipt in tests/receipts: NAME.txt holds the amounts, NAME.sum what they add up to.
failed=0
for receipt in tests/receipts/*.txt; do
    want=$(cat "${receipt%.txt}.sum")
    got=$(sh till.sh < "$receipt")
    if [ "$got" = "$want" ]; then
        echo "ok    $receipt: $got"
    else
        echo "WRONG $receipt: got $got, want $want"
        failed=1
    fi
done
exit $failed
