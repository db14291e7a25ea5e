#pragma once
#define NAME "mine"
