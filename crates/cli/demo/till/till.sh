#!/bin/sh
# Adds up the lines of a receipt: one amount in cents a line, read from standard input.
sum=0
read -r amount
sum=$((sum + amount))
echo "$sum"
