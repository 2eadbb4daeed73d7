package cart

import (
	"math"
	"testing"
)

func newCart() *Cart {
	return &Cart{rate: 0.19}
}

func TestTotal(t *testing.T) {
	tests := []struct {
		name   string
		prices []int
		want   int
	}{
		{"two", []int{1, 2}, 3},
		{"none", nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Total(tt.prices); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestTax(t *testing.T) {
	c := newCart()
	c.Add(100)
	if math.Abs(c.Tax()-19) > 1e-9 {
		t.Fatalf("tax is %v", c.Tax())
	}
}

func TestCart(t *testing.T) {
	c := newCart()
	t.Run("empty", func(t *testing.T) {
		if len(c.Items()) != 0 {
			t.Error("not empty")
		}
	})
	t.Run("one", func(t *testing.T) {
		c.Add(1)
		if len(c.Items()) != 1 {
			t.Error("not one")
		}
	})
}
