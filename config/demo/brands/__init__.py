"""The three demo brands."""

from config.demo.brands.beauty import BEAUTY
from config.demo.brands.carcare import CAR_CARE
from config.demo.brands.music import MUSIC

BRANDS = (BEAUTY, CAR_CARE, MUSIC)
